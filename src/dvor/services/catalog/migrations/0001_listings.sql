-- Branches of the catalogue. Fixed: grown by migrations, never by people.
CREATE TABLE categories (
    slug text CONSTRAINT categories_pkey PRIMARY KEY,
    parent text CONSTRAINT categories_parent_fkey REFERENCES categories (slug),
    kind text NOT NULL
        CONSTRAINT categories_kind_known CHECK (kind IN ('product', 'rental', 'stay', 'event')),
    title_ru text NOT NULL,
    title_en text NOT NULL,
    position integer NOT NULL CONSTRAINT categories_position_unique UNIQUE,
    CONSTRAINT categories_kind_slug_unique UNIQUE (kind, slug)
);

INSERT INTO categories (position, kind, slug, parent, title_ru, title_en) VALUES
    (10, 'product', 'home', NULL, 'Дом', 'Home'),
    (11, 'product', 'kitchen', 'home', 'Кухня и стол', 'Kitchen and table'),
    (12, 'product', 'decor', 'home', 'Декор и свет', 'Decor and lighting'),
    (13, 'product', 'textiles', 'home', 'Текстиль', 'Textiles'),
    (20, 'product', 'gifts', NULL, 'Подарки', 'Gifts'),
    (21, 'product', 'stationery', 'gifts', 'Бумага и письмо', 'Paper and writing'),
    (22, 'product', 'party', 'gifts', 'К празднику', 'For celebrations'),
    (30, 'product', 'wear', NULL, 'Одежда, сумки, украшения', 'Clothes, bags, jewellery'),
    (31, 'product', 'toys', NULL, 'Игры и игрушки', 'Toys and games'),
    (32, 'product', 'food', NULL, 'Чай, кофе, сладкое', 'Tea, coffee, sweets'),
    (40, 'rental', 'tools', NULL, 'Инструмент', 'Tools'),
    (41, 'rental', 'bikes', NULL, 'Велосипеды и самокаты', 'Bikes and scooters'),
    (42, 'rental', 'camping', NULL, 'В поход', 'Camping'),
    (43, 'rental', 'cameras', NULL, 'Фото и видео', 'Cameras and video'),
    (44, 'rental', 'sport', NULL, 'Спорт и вода', 'Sport and water'),
    (50, 'stay', 'hotels', NULL, 'Гостиницы', 'Hotels'),
    (51, 'stay', 'guesthouses', NULL, 'Гостевые дома', 'Guest houses'),
    (52, 'stay', 'apartments', NULL, 'Квартиры', 'Apartments'),
    (53, 'stay', 'countryside', NULL, 'За городом', 'In the country'),
    (60, 'event', 'concerts', NULL, 'Концерты', 'Concerts'),
    (61, 'event', 'lectures', NULL, 'Лекции', 'Talks and lectures'),
    (62, 'event', 'workshops', NULL, 'Мастер-классы', 'Workshops'),
    (63, 'event', 'theatre', NULL, 'Театр', 'Theatre'),
    (64, 'event', 'tours', NULL, 'Прогулки и экскурсии', 'Walks and tours');

CREATE TABLE listings (
    id uuid CONSTRAINT listings_pkey PRIMARY KEY,
    seller_id uuid NOT NULL,
    external_id text CONSTRAINT listings_external_id_not_empty CHECK (external_id <> ''),
    kind text NOT NULL,
    category text NOT NULL,
    status text NOT NULL
        CONSTRAINT listings_status_known CHECK (status IN ('draft', 'published', 'archived')),
    title_ru text NOT NULL,
    title_en text NOT NULL,
    description_ru text NOT NULL,
    description_en text NOT NULL,
    -- All three together, or none: a place.
    city text,
    address text,
    timezone text,
    starts_at timestamptz,
    ends_at timestamptz,
    -- [[name, value], …]: pairs, because jsonb objects forget the order of their keys.
    attributes jsonb NOT NULL,
    currency text NOT NULL CONSTRAINT listings_currency_code CHECK (currency ~ '^[A-Z]{3}$'),
    -- The cheapest active offer; written with the offers, in their transaction.
    price_from bigint NOT NULL CONSTRAINT listings_price_from_positive CHECK (price_from >= 0),
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    -- Orders the undated after the dated.
    soonest_at timestamptz NOT NULL
        GENERATED ALWAYS AS (coalesce(starts_at, '9999-01-01 00:00:00Z'::timestamptz)) STORED,
    -- One configuration serves both languages: `russian` stems words in Latin letters as English.
    words tsvector NOT NULL GENERATED ALWAYS AS (
        setweight(to_tsvector('russian', replace(lower(title_ru || ' ' || title_en), 'ё', 'е')), 'A')
        || setweight(to_tsvector('russian', replace(lower(coalesce(city, '')), 'ё', 'е')), 'B')
        || setweight(to_tsvector('russian', replace(lower(description_ru || ' ' || description_en), 'ё', 'е')), 'C')
    ) STORED,
    -- The titles in rough Latin letters. For pg_trgm, which in some locales knows no others; so
    -- "velosiped" finds a велосипед, too. Python's `searches.folded` must agree.
    letters text NOT NULL GENERATED ALWAYS AS (
        translate(lower(title_ru || ' ' || title_en),
                  'абвгдеёжзийклмнопрстуфхцчшщыэюяъь', 'abvgdeejziyklmnoprstufhcqwxyeua')
    ) STORED,
    CONSTRAINT listings_category_fkey FOREIGN KEY (kind, category)
        REFERENCES categories (kind, slug),
    CONSTRAINT listings_title_not_empty CHECK (title_ru <> '' OR title_en <> ''),
    CONSTRAINT listings_place_whole CHECK (num_nulls(city, address, timezone) IN (0, 3)),
    CONSTRAINT listings_fits_kind CHECK (
        (kind = 'product' OR city IS NOT NULL) AND (kind <> 'event' OR starts_at IS NOT NULL)
    ),
    CONSTRAINT listings_ends_after_start CHECK (ends_at > starts_at)
);

CREATE UNIQUE INDEX listings_external_id_unique ON listings (seller_id, external_id);
CREATE INDEX listings_words ON listings USING gin (words);
CREATE INDEX listings_newest ON listings (created_at DESC, id DESC) WHERE status = 'published';
CREATE INDEX listings_cheapest ON listings (price_from, id) WHERE status = 'published';
CREATE INDEX listings_soonest ON listings (soonest_at, id) WHERE status = 'published';
CREATE INDEX listings_by_seller ON listings (seller_id, created_at DESC, id DESC);
CREATE INDEX listings_by_category ON listings (category, created_at DESC, id DESC)
    WHERE status = 'published';

-- Offers are never deleted: orders refer to them for ever. Removed ones are inactive.
CREATE TABLE offers (
    id uuid CONSTRAINT offers_pkey PRIMARY KEY,
    listing_id uuid NOT NULL CONSTRAINT offers_listing_fkey REFERENCES listings (id),
    position integer NOT NULL,
    active boolean NOT NULL DEFAULT true,
    name_ru text NOT NULL,
    name_en text NOT NULL,
    price bigint NOT NULL CONSTRAINT offers_price_positive CHECK (price >= 0),
    -- [{"first": day, "last": day, "price": minor units}, …], without overlaps.
    seasons jsonb NOT NULL
);

CREATE INDEX offers_by_listing ON offers (listing_id, position);

-- Grows in the transaction of whatever changes the published lists; cached lists carry it.
CREATE TABLE list_generation (
    number bigint NOT NULL,
    only_row boolean NOT NULL DEFAULT true
        CONSTRAINT list_generation_pkey PRIMARY KEY
        CONSTRAINT list_generation_only_row CHECK (only_row)
);

INSERT INTO list_generation (number) VALUES (1);

-- Typo tolerance where the server has pg_trgm; without it search is exact.
DO $$
BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
    CREATE INDEX listings_letters ON listings USING gin (letters gin_trgm_ops);
EXCEPTION
    WHEN feature_not_supported OR undefined_file OR insufficient_privilege THEN
        RAISE NOTICE 'pg_trgm is not available: search does not forgive typos';
END
$$;
