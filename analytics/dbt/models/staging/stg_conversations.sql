SELECT id AS conversation_id, customer_id, status, channels, coalesce(spam, false) AS is_spam,
    assigned_teams[1] AS team_id, assigned_users[1] AS assignee_id,
    created_at, {{ utc_day('created_at') }} AS created_day, updated_at,
    -- Not every conversation that is done says since when; its last change is the best that is left.
    CASE WHEN status = 'done' THEN greatest(created_at,
        coalesce(last_done_created_at, modification_history_status_at, ended_at, updated_at)) END AS closed_at,
    last_done_created_at AS last_done_at, open_status_at AS last_opened_at
FROM ({{ live('conversations') }})
