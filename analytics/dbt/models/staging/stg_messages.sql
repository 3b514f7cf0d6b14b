SELECT message.id AS message_id, message.conversation_id, message.customer_id, message.created_at,
    {{ utc_day('message.created_at') }} AS day, coalesce(message.channel, 'unknown') AS channel, message.direction,
    message.created_by_id AS user_id,
    -- What a machine, a rule, a bulk mail or a survey wrote answers nobody.
    coalesce(message.direction = 'out' AND NOT coalesce(message.auto, false)
        AND coalesce(message.source, '') NOT IN ('bulk', 'satisfaction')
        AND message.created_by_id IS NOT NULL AND machine.user_id IS NULL, false) AS is_agent_message
FROM ({{ live('messages') }}) AS message
LEFT JOIN (SELECT user_id FROM {{ ref('stg_users') }} WHERE user_type IN ('machine', 'app')) AS machine
    ON machine.user_id = message.created_by_id
