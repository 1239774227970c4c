CREATE TABLE rooms (
    id       uuid PRIMARY KEY,
    offer_id uuid NOT NULL,
    name     text NOT NULL,
    active   boolean NOT NULL DEFAULT true,
    CONSTRAINT rooms_name UNIQUE (offer_id, name)
);
COMMENT ON COLUMN rooms.active IS 'False: it is gone, but who slept there stays written.';

CREATE TABLE assignments (
    stay_id     uuid PRIMARY KEY,
    offer_id    uuid NOT NULL,
    room_id     uuid NOT NULL CONSTRAINT assignments_room REFERENCES rooms,
    first_night date NOT NULL,
    end_night   date NOT NULL,
    CONSTRAINT assignments_nights CHECK (first_night < end_night)
);
CREATE INDEX assignments_of_offer ON assignments (offer_id, end_night);
COMMENT ON TABLE assignments IS 'Which stay has which room; stays themselves are bookings of inventory.';

-- A night per row: the primary key refuses two stays in one bed, without any extension.
CREATE TABLE nights (
    room_id uuid NOT NULL CONSTRAINT nights_room REFERENCES rooms,
    night   date NOT NULL,
    stay_id uuid NOT NULL CONSTRAINT nights_stay REFERENCES assignments ON DELETE CASCADE,
    CONSTRAINT nights_one_stay PRIMARY KEY (room_id, night)
);
CREATE INDEX nights_of_stay ON nights (stay_id);
