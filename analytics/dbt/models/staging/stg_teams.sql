-- Deleted teams as well: conversations keep their ids.
SELECT id AS team_id, name AS team_name, coalesce(_deleted, false) AS is_deleted FROM {{ source('lake', 'teams') }}
