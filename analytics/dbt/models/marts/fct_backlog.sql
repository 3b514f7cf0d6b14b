-- One row for each UTC day; backlog: open or snoozed when the day ended.
WITH change AS (
    SELECT created_day AS day, 1 AS step FROM {{ ref('fct_conversations') }}
    UNION ALL
    SELECT closed_day, -1 FROM {{ ref('fct_conversations') }} WHERE closed_day IS NOT NULL
    UNION ALL
    -- One that is open again was away from the backlog in between.
    SELECT unnest([{{ utc_day('last_done_at') }}, {{ utc_day('last_opened_at') }}]), unnest([-1, 1])
    FROM {{ ref('fct_conversations') }}
    WHERE closed_at IS NULL AND last_done_at >= created_at AND last_opened_at > last_done_at
),
daily AS (SELECT day, sum(step) AS step FROM change WHERE day IS NOT NULL GROUP BY day),
calendar AS (
    SELECT unnest(generate_series(min(day)::TIMESTAMP, max(day)::TIMESTAMP, INTERVAL 1 DAY))::DATE AS day FROM daily
)
SELECT calendar.day, sum(coalesce(daily.step, 0)) OVER (ORDER BY calendar.day)::BIGINT AS backlog
FROM calendar LEFT JOIN daily ON daily.day = calendar.day
