-- Deleted customers as well: their ids stand in conversations and merges.
SELECT id AS customer_id, created_at, updated_at, locale, coalesce(_deleted, false) AS is_deleted
FROM {{ source('lake', 'customers') }}
