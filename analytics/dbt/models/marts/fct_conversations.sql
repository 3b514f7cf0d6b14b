-- One row for each conversation; seconds.
WITH counted AS (
    SELECT conversation_id,
        count(*) FILTER (direction = 'in') AS messages_in,
        count(*) FILTER (direction = 'out') AS messages_out,
        min(created_at) FILTER (direction = 'in') AS first_customer_message_at,
        arg_min(channel, (created_at, message_id)) AS channel
    FROM {{ ref('stg_messages') }} WHERE conversation_id IS NOT NULL
    GROUP BY conversation_id
),
response AS (
    -- What an agent wrote before the customer did answers nothing.
    SELECT message.conversation_id, min(message.created_at) AS first_response_at
    FROM {{ ref('stg_messages') }} AS message JOIN counted USING (conversation_id)
    WHERE message.is_agent_message AND message.created_at >= counted.first_customer_message_at
    GROUP BY message.conversation_id
)
SELECT conversation.conversation_id, conversation.customer_id,
    coalesce(ids.current_customer_id, conversation.customer_id) AS current_customer_id,
    coalesce(counted.channel, conversation.channels[1], 'unknown') AS channel,
    conversation.status, conversation.is_spam, conversation.team_id, conversation.assignee_id,
    conversation.created_at, conversation.created_day,
    counted.first_customer_message_at, response.first_response_at,
    {{ seconds('counted.first_customer_message_at', 'response.first_response_at') }} AS first_response_seconds,
    coalesce(counted.messages_in, 0) AS messages_in, coalesce(counted.messages_out, 0) AS messages_out,
    conversation.closed_at, {{ utc_day('conversation.closed_at') }} AS closed_day,
    {{ seconds('conversation.created_at', 'conversation.closed_at') }} AS resolution_seconds,
    conversation.last_done_at, conversation.last_opened_at
FROM {{ ref('stg_conversations') }} AS conversation
LEFT JOIN {{ ref('dim_customer_ids') }} AS ids ON ids.customer_id = conversation.customer_id
LEFT JOIN counted ON counted.conversation_id = conversation.conversation_id
LEFT JOIN response ON response.conversation_id = conversation.conversation_id
