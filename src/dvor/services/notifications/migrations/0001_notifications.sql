CREATE TABLE notifications (
    id uuid PRIMARY KEY,
    recipient_id uuid NOT NULL,
    topic text NOT NULL CONSTRAINT topic_is_known CHECK (topic IN (
        'welcome', 'order_created', 'order_paid', 'payment_failed', 'order_cancelled',
        'order_delivered', 'sale_paid', 'sale_cancelled'
    )),
    -- What it is about: an order, or the person for a welcome.
    subject_id uuid NOT NULL,
    -- Facts to be put in words when somebody reads them: never words.
    details jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT dvor_now(),
    read_at timestamptz,
    mailed_at timestamptz,
    -- Why no mail can ever reach the recipient; empty while it may.
    mail_problem text NOT NULL DEFAULT '',
    CONSTRAINT told_once UNIQUE (topic, subject_id, recipient_id)
);
CREATE INDEX notifications_of_recipient ON notifications (recipient_id, id DESC);
CREATE INDEX notifications_unread ON notifications (recipient_id) WHERE read_at IS NULL;
CREATE INDEX notifications_unmailed ON notifications (created_at) WHERE mailed_at IS NULL;

-- Caught instead of sent, where no mail server is configured.
CREATE TABLE mails (
    id uuid PRIMARY KEY,
    notification_id uuid NOT NULL REFERENCES notifications,
    message_id text NOT NULL CONSTRAINT caught_once UNIQUE,
    sender text NOT NULL,
    recipient text NOT NULL,
    subject text NOT NULL,
    text text NOT NULL,
    html text NOT NULL,
    sent_at timestamptz NOT NULL DEFAULT dvor_now()
);
CREATE INDEX mails_of_recipient ON mails (recipient, id DESC);
