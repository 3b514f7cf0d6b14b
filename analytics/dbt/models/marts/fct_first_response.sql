-- One row for each UTC day of the first customer message and channel; seconds.
SELECT {{ utc_day('first_customer_message_at') }} AS day, channel, day || ' ' || channel AS row_id,
    count(*) AS conversations, count(first_response_seconds) AS answered,
    quantile_cont(first_response_seconds, 0.5) AS median_seconds,
    quantile_cont(first_response_seconds, 0.9) AS p90_seconds
FROM {{ ref('fct_conversations') }} WHERE first_customer_message_at IS NOT NULL
GROUP BY ALL
