-- Views that analysts expect, for DuckDB, on top of the views of the tables.
-- Days are UTC days, durations are seconds, and only rows that are not deleted at the source count.
-- A view is made where all that it needs is there. Of two with one name the later one replaces the earlier, so that a
-- table which costs many requests (customer_merges, conversation_times) makes a mart better, but is never a condition.

-- mart: mart_customer_ids needs: customers
-- One row for each customer id ever seen, deleted ones included. Without customer_merges every id stands for itself.
CREATE OR REPLACE VIEW mart_customer_ids AS
SELECT id AS customer_id, id AS current_customer_id, 0 AS merges
FROM customers;

-- mart: mart_customer_ids needs: customers, customer_merges_live
-- One row for each customer id ever seen, with the id that it has become; merges is the number of steps to there.
CREATE OR REPLACE VIEW mart_customer_ids AS
WITH RECURSIVE step AS (
    -- The latest merge of an id counts: that it was absorbed twice would double its rows.
    SELECT source_id, arg_max(target_id, (coalesce(created_at, TIMESTAMPTZ '1970-01-01 00:00:00+00'), id)) AS target_id
    FROM customer_merges_live
    -- The source does not document the states; those that plainly say that nothing was merged do not count.
    WHERE source_id <> target_id AND coalesce(status, '') NOT IN ('failed', 'error', 'canceled', 'cancelled')
    GROUP BY source_id
),
way AS (
    SELECT source_id AS customer_id, target_id AS reached, [source_id, target_id] AS seen FROM step
    UNION ALL
    -- An id that was met before ends the way, so that a circle in the data cannot run for ever.
    SELECT way.customer_id, step.target_id, list_append(way.seen, step.target_id)
    FROM way JOIN step ON step.source_id = way.reached
    WHERE NOT list_contains(way.seen, step.target_id)
),
longest AS (
    SELECT customer_id, arg_max(reached, len(seen)) AS reached, arg_max(seen, len(seen)) AS seen FROM way GROUP BY customer_id
),
followed AS (
    -- All of a circle become its smallest id: otherwise each would be gone into another one, and nobody left.
    SELECT longest.customer_id, len(longest.seen) - 1 AS merges,
        CASE WHEN step.target_id IS NULL THEN longest.reached
            ELSE list_min(longest.seen[list_position(longest.seen, step.target_id):]) END AS reached
    FROM longest LEFT JOIN step ON step.source_id = longest.reached
),
known AS (
    -- An absorbed customer may have gone before it was ever read: then only the merge knows it.
    SELECT id FROM customers
    UNION SELECT source_id FROM step
    UNION SELECT target_id FROM step
)
SELECT known.id AS customer_id, coalesce(followed.reached, known.id) AS current_customer_id,
    CASE WHEN followed.reached <> known.id THEN followed.merges ELSE 0 END::INTEGER AS merges
FROM known LEFT JOIN followed ON followed.customer_id = known.id
WHERE known.id IS NOT NULL;

-- mart: mart_customers_current needs: customers_live, mart_customer_ids
-- One row for each customer that there is now, with all its columns; a merged one is found in the one it was merged into.
CREATE OR REPLACE VIEW mart_customers_current AS
WITH absorbed AS (
    SELECT current_customer_id, count(*) AS absorbed_customers, list_sort(list(customer_id)) AS absorbed_customer_ids
    FROM mart_customer_ids WHERE customer_id <> current_customer_id
    GROUP BY current_customer_id
)
SELECT customer.*, coalesce(absorbed.absorbed_customers, 0) AS absorbed_customers,
    coalesce(absorbed.absorbed_customer_ids, []::VARCHAR[]) AS absorbed_customer_ids
FROM customers_live AS customer
-- Whoever was absorbed does not count even while the source still shows the record.
ANTI JOIN (SELECT customer_id FROM mart_customer_ids WHERE customer_id <> current_customer_id) AS gone
    ON gone.customer_id = customer.id
LEFT JOIN absorbed ON absorbed.current_customer_id = customer.id;

-- mart: mart_messages needs: messages_live, users
-- One row for each message. is_agent_message: a person wrote it by hand, so no automatic, bulk or survey message.
CREATE OR REPLACE VIEW mart_messages AS
SELECT message.id AS message_id, message.conversation_id, message.customer_id, message.created_at,
    (message.created_at AT TIME ZONE 'UTC')::DATE AS day, coalesce(message.channel, 'unknown') AS channel,
    message.direction, message.created_by_id AS user_id,
    coalesce(message.direction = 'out' AND NOT coalesce(message.auto, false)
        AND coalesce(message.source, '') NOT IN ('bulk', 'satisfaction')
        AND message.created_by_id IS NOT NULL AND machine.id IS NULL, false) AS is_agent_message
FROM messages_live AS message
-- Deactivated users wrote messages too, hence all users and not only the live ones.
LEFT JOIN (SELECT DISTINCT id FROM users WHERE user_type IN ('machine', 'app')) AS machine
    ON machine.id = message.created_by_id;

-- mart: mart_handle_sessions needs: conversations_live
-- One row for each time that a user handled a conversation. Without conversation_times there are none.
CREATE OR REPLACE VIEW mart_handle_sessions AS
SELECT NULL::VARCHAR AS session_id, NULL::VARCHAR AS timer_version, NULL::VARCHAR AS conversation_id,
    NULL::TIMESTAMPTZ AS created_at, NULL::DATE AS day, NULL::VARCHAR AS user_id, NULL::DOUBLE AS handle_seconds
FROM conversations_live WHERE false;

-- mart: mart_handle_sessions needs: conversations_live, conversation_times_live
-- One row for each time that a user handled a conversation, in seconds, of conversations that are not deleted.
CREATE OR REPLACE VIEW mart_handle_sessions AS
WITH session AS (
    SELECT *, coalesce(conversation_id, _parent_id) AS of_conversation FROM conversation_times_live
)
SELECT session.id AS session_id, session.timer_version, session.of_conversation AS conversation_id, session.created_at,
    (session.created_at AT TIME ZONE 'UTC')::DATE AS day,
    coalesce(session.handle_by_id, session.created_by_id) AS user_id,
    -- The second timer counts milliseconds.
    session.handle_time / CASE session.timer_version WHEN 'v2' THEN 1000.0 ELSE 1.0 END AS handle_seconds
FROM session SEMI JOIN conversations_live ON conversations_live.id = session.of_conversation
-- Both timers measure the same work: where a conversation has the second, the first would count it twice.
QUALIFY session.timer_version = max(session.timer_version) OVER (PARTITION BY session.of_conversation);

-- mart: mart_conversations needs: conversations_live, mart_messages, mart_customer_ids, mart_handle_sessions
-- One row for each conversation. Durations are seconds; the clock of a first response starts at the first customer message.
CREATE OR REPLACE VIEW mart_conversations AS
WITH counted AS (
    SELECT conversation_id,
        count(*) FILTER (direction = 'in') AS messages_in,
        count(*) FILTER (direction = 'out') AS messages_out,
        count(*) FILTER (is_agent_message) AS agent_messages,
        min(created_at) FILTER (direction = 'in') AS first_customer_message_at,
        arg_min(channel, (created_at, message_id)) AS channel
    FROM mart_messages WHERE conversation_id IS NOT NULL
    GROUP BY conversation_id
),
response AS (
    -- What an agent wrote before the customer did answers nothing.
    SELECT message.conversation_id, min(message.created_at) AS first_response_at,
        arg_min(message.user_id, (message.created_at, message.message_id)) AS first_response_by_id
    FROM mart_messages AS message JOIN counted USING (conversation_id)
    WHERE message.is_agent_message AND message.created_at >= counted.first_customer_message_at
    GROUP BY message.conversation_id
),
handled AS (
    SELECT conversation_id, count(*) AS handle_sessions, sum(handle_seconds) AS handle_seconds
    FROM mart_handle_sessions GROUP BY conversation_id
),
dated AS (
    SELECT *,
        -- Not every conversation that is done says since when; its last change is the best that is left.
        CASE WHEN status = 'done' THEN greatest(created_at,
            coalesce(last_done_created_at, modification_history_status_at, ended_at, updated_at)) END AS closed_at,
        coalesce(status = 'done' AND last_done_created_at IS NULL, false) AS closed_at_is_estimate
    FROM conversations_live
)
SELECT conversation.id AS conversation_id,
    conversation.customer_id,
    coalesce(person.current_customer_id, conversation.customer_id) AS current_customer_id,
    coalesce(counted.channel, conversation.channels[1], 'unknown') AS channel,
    conversation.status,
    conversation.direction,
    conversation.priority,
    conversation.queue_id,
    conversation.brand_id,
    coalesce(conversation.spam, false) AS is_spam,
    conversation.assigned_teams[1] AS team_id,
    coalesce(list_sort(list_distinct(conversation.assigned_teams)), []::VARCHAR[]) AS team_ids,
    conversation.assigned_users[1] AS assignee_id,
    coalesce(list_sort(list_distinct(conversation.assigned_users)), []::VARCHAR[]) AS assignee_ids,
    conversation.created_at,
    (conversation.created_at AT TIME ZONE 'UTC')::DATE AS created_day,
    counted.first_customer_message_at,
    response.first_response_at,
    response.first_response_by_id,
    (epoch_ms(response.first_response_at) - epoch_ms(counted.first_customer_message_at)) / 1000.0
        AS first_response_seconds,
    coalesce(counted.messages_in, 0) AS messages_in,
    coalesce(counted.messages_out, 0) AS messages_out,
    coalesce(counted.agent_messages, 0) AS agent_messages,
    conversation.first_done_created_at AS first_closed_at,
    conversation.last_done_created_at AS last_done_at,
    conversation.open_status_at AS last_opened_at,
    conversation.closed_at,
    conversation.closed_at_is_estimate,
    (conversation.closed_at AT TIME ZONE 'UTC')::DATE AS closed_day,
    (epoch_ms(conversation.closed_at) - epoch_ms(conversation.created_at)) / 1000.0 AS resolution_seconds,
    handled.handle_sessions,
    handled.handle_seconds,
    coalesce(conversation.reopen_count, 0) AS reopen_count,
    conversation.updated_at
FROM dated AS conversation
LEFT JOIN mart_customer_ids AS person ON person.customer_id = conversation.customer_id
LEFT JOIN counted ON counted.conversation_id = conversation.id
LEFT JOIN response ON response.conversation_id = conversation.id
LEFT JOIN handled ON handled.conversation_id = conversation.id;

-- mart: mart_first_response needs: mart_conversations
-- One row for each UTC day of the first customer message and channel; seconds, of the conversations that were answered.
CREATE OR REPLACE VIEW mart_first_response AS
SELECT (first_customer_message_at AT TIME ZONE 'UTC')::DATE AS day, channel,
    count(*) AS conversations,
    count(first_response_seconds) AS answered,
    count(*) - count(first_response_seconds) AS unanswered,
    quantile_cont(first_response_seconds, 0.5) AS median_seconds,
    quantile_cont(first_response_seconds, 0.9) AS p90_seconds
FROM mart_conversations WHERE first_customer_message_at IS NOT NULL
GROUP BY ALL;

-- mart: mart_handle_time needs: mart_handle_sessions
-- One row for each UTC day on which sessions ended; seconds.
CREATE OR REPLACE VIEW mart_handle_time AS
SELECT day, count(*) AS sessions, count(DISTINCT conversation_id) AS conversations,
    count(DISTINCT user_id) AS agents,
    sum(handle_seconds) AS handle_seconds,
    sum(handle_seconds) / count(DISTINCT conversation_id) AS seconds_per_conversation,
    quantile_cont(handle_seconds, 0.5) AS median_session_seconds,
    quantile_cont(handle_seconds, 0.9) AS p90_session_seconds
FROM mart_handle_sessions WHERE day IS NOT NULL
GROUP BY day;

-- mart: mart_backlog_by_day needs: mart_conversations
-- One row for each UTC day from the first to the last that the tables know; backlog: open or snoozed when the day ended.
CREATE OR REPLACE VIEW mart_backlog_by_day AS
WITH change AS (
    SELECT (created_at AT TIME ZONE 'UTC')::DATE AS day, 1 AS opened, 0 AS reopened, 0 AS closed
    FROM mart_conversations
    UNION ALL
    SELECT closed_day, 0, 0, 1 FROM mart_conversations WHERE closed_at IS NOT NULL
    UNION ALL
    -- One that is open again was away from the backlog in between. Earlier rounds are not told by the conversation.
    SELECT unnest([(last_done_at AT TIME ZONE 'UTC')::DATE, (last_opened_at AT TIME ZONE 'UTC')::DATE]),
        0, unnest([0, 1]), unnest([1, 0])
    FROM mart_conversations
    WHERE closed_at IS NULL AND last_done_at >= created_at AND last_opened_at > last_done_at
),
daily AS (
    SELECT day, sum(opened) AS opened, sum(reopened) AS reopened, sum(closed) AS closed
    FROM change WHERE day IS NOT NULL GROUP BY day
),
-- A day on which nothing happened has a backlog too.
calendar AS (
    SELECT unnest(generate_series(min(day)::TIMESTAMP, max(day)::TIMESTAMP, INTERVAL 1 DAY))::DATE AS day FROM daily
)
SELECT calendar.day,
    coalesce(daily.opened, 0)::BIGINT AS opened,
    coalesce(daily.reopened, 0)::BIGINT AS reopened,
    coalesce(daily.closed, 0)::BIGINT AS closed,
    sum(coalesce(daily.opened + daily.reopened - daily.closed, 0)) OVER (ORDER BY calendar.day)::BIGINT AS backlog
FROM calendar LEFT JOIN daily ON daily.day = calendar.day;

-- mart: mart_volume_by_channel needs: mart_messages, mart_conversations
-- One row for each UTC day and channel; messages by their own channel, conversations by that of their first message.
CREATE OR REPLACE VIEW mart_volume_by_channel AS
WITH counted AS (
    SELECT created_day AS day, channel, 1 AS conversations, 0 AS messages_in, 0 AS messages_out, 0 AS agent_messages
    FROM mart_conversations
    UNION ALL
    SELECT day, channel, 0, (direction IS NOT DISTINCT FROM 'in')::INTEGER,
        (direction IS NOT DISTINCT FROM 'out')::INTEGER, is_agent_message::INTEGER
    FROM mart_messages
)
SELECT day, channel, sum(conversations)::BIGINT AS conversations_created, sum(messages_in)::BIGINT AS messages_in,
    sum(messages_out)::BIGINT AS messages_out, sum(agent_messages)::BIGINT AS agent_messages
FROM counted WHERE day IS NOT NULL
GROUP BY day, channel;

-- mart: mart_agent_load needs: mart_messages, mart_conversations, users
-- One row for each UTC day and person who wrote to customers on it; first responses count on the day they were given.
CREATE OR REPLACE VIEW mart_agent_load AS
WITH written AS (
    SELECT day, user_id, count(*) AS messages_sent, count(DISTINCT conversation_id) AS conversations
    FROM mart_messages WHERE is_agent_message AND day IS NOT NULL
    GROUP BY day, user_id
),
first AS (
    SELECT (first_response_at AT TIME ZONE 'UTC')::DATE AS day, first_response_by_id AS user_id,
        count(*) AS first_responses, quantile_cont(first_response_seconds, 0.5) AS median_first_response_seconds
    FROM mart_conversations WHERE first_response_at IS NOT NULL
    GROUP BY ALL
),
named AS (
    -- Names may be left out of the tables by configuration; the empty branch gives the columns all the same.
    SELECT id, any_value(display_name) AS display_name, any_value(name) AS name
    FROM (SELECT NULL::VARCHAR AS id, NULL::VARCHAR AS display_name, NULL::VARCHAR AS name WHERE false
        UNION ALL BY NAME SELECT * FROM users)
    GROUP BY id
)
SELECT written.day, written.user_id, coalesce(named.display_name, named.name, written.user_id) AS user_name,
    written.messages_sent, written.conversations, coalesce(first.first_responses, 0) AS first_responses,
    first.median_first_response_seconds
FROM written
LEFT JOIN first ON first.day = written.day AND first.user_id = written.user_id
LEFT JOIN named ON named.id = written.user_id;

-- mart: mart_team_load needs: mart_messages, mart_conversations, teams
-- One row for each UTC day and team, by the teams that conversations have now; of several teams each counts it, without one 'none'.
CREATE OR REPLACE VIEW mart_team_load AS
WITH assigned AS (
    SELECT conversation_id, created_day, closed_day,
        unnest(CASE WHEN len(team_ids) = 0 THEN ['none'] ELSE team_ids END) AS team_id
    FROM mart_conversations
),
counted AS (
    SELECT created_day AS day, team_id, 1 AS created, 0 AS closed, 0 AS messages_in, 0 AS agent_messages FROM assigned
    UNION ALL
    SELECT closed_day, team_id, 0, 1, 0, 0 FROM assigned WHERE closed_day IS NOT NULL
    UNION ALL
    SELECT message.day, assigned.team_id, 0, 0, (message.direction IS NOT DISTINCT FROM 'in')::INTEGER,
        message.is_agent_message::INTEGER
    FROM mart_messages AS message JOIN assigned USING (conversation_id)
),
named AS (SELECT id, any_value(name) AS name FROM teams GROUP BY id)
SELECT counted.day, counted.team_id, coalesce(any_value(named.name), counted.team_id) AS team_name,
    sum(counted.created)::BIGINT AS conversations_created, sum(counted.closed)::BIGINT AS conversations_closed,
    sum(counted.messages_in)::BIGINT AS messages_in, sum(counted.agent_messages)::BIGINT AS agent_messages
FROM counted LEFT JOIN named ON named.id = counted.team_id
WHERE counted.day IS NOT NULL AND counted.team_id IS NOT NULL
GROUP BY counted.day, counted.team_id;
