-- Deactivated users as well: what they wrote is still theirs.
SELECT id AS user_id, user_type, coalesce(_deleted, false) AS is_deleted FROM {{ source('lake', 'users') }}
