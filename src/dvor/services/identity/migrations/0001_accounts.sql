-- Accounts, where they are signed in, and what keeps guessing slow.

CREATE TABLE users (
    id uuid PRIMARY KEY,
    email text NOT NULL,
    password_hash text NOT NULL,
    name text NOT NULL,
    roles text[] NOT NULL,
    language text NOT NULL,
    phone text NOT NULL DEFAULT '',
    city text NOT NULL DEFAULT '',
    about text NOT NULL DEFAULT '',
    avatar text NOT NULL DEFAULT '',
    blocked bool NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL,
    CONSTRAINT users_roles CHECK (
        roles <@ ARRAY['customer', 'seller', 'admin'] AND 'customer' = ANY (roles)
    ),
    CONSTRAINT users_language CHECK (language IN ('ru', 'en'))
);
CREATE UNIQUE INDEX users_email ON users (lower(email));
CREATE INDEX users_admins ON users (id) WHERE 'admin' = ANY (roles) AND NOT blocked;

CREATE TABLE avatars (
    user_id uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    content bytea NOT NULL,
    content_type text NOT NULL,
    version text NOT NULL
);

-- One place where a person is signed in: a browser, or an API client with its family of tokens.
CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    kind text NOT NULL,
    token_hash bytea,
    client text NOT NULL,
    created_at timestamptz NOT NULL,
    used_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT sessions_kind CHECK (kind IN ('browser', 'api')),
    CONSTRAINT sessions_browser_token CHECK ((kind = 'browser') = (token_hash IS NOT NULL)),
    CONSTRAINT sessions_token UNIQUE (token_hash)
);
CREATE INDEX sessions_of_user ON sessions (user_id, used_at);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE refresh_tokens (
    hash bytea PRIMARY KEY,
    session_id uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
    parent bytea,
    used_at timestamptz,
    -- The wall against siblings: a token has one successor.
    CONSTRAINT refresh_tokens_one_successor UNIQUE (parent)
);
CREATE INDEX refresh_tokens_of_session ON refresh_tokens (session_id);

-- Private keys of access tokens: the newest signs, all verify.
CREATE TABLE signing_keys (
    kid text PRIMARY KEY,
    private_key bytea NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT signing_keys_length CHECK (octet_length(private_key) = 32)
);

-- Attempts by subject: a hash of an e-mail, or a network. Counted before they are evaluated.
CREATE TABLE attempts (
    subject text PRIMARY KEY,
    count int NOT NULL,
    last_at timestamptz NOT NULL,
    retry_at timestamptz NOT NULL
);
CREATE INDEX attempts_last ON attempts (last_at);

-- Networks a person has signed in from: there others' guesses do not slow them down.
CREATE TABLE familiar_networks (
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    network text NOT NULL,
    seen_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, network)
);
CREATE INDEX familiar_networks_seen ON familiar_networks (seen_at);
