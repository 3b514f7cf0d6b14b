-- One row for each customer id ever seen, with the id that it has become through merges.
WITH RECURSIVE way AS (
    SELECT source_id AS customer_id, target_id AS reached, [source_id, target_id] AS seen
    FROM {{ ref('stg_customer_merges') }}
    UNION ALL
    -- An id that was met before ends the way, so that a circle in the data cannot run for ever.
    SELECT way.customer_id, step.target_id, list_append(way.seen, step.target_id)
    FROM way JOIN {{ ref('stg_customer_merges') }} AS step ON step.source_id = way.reached
    WHERE NOT list_contains(way.seen, step.target_id)
),
longest AS (
    SELECT customer_id, arg_max(reached, len(seen)) AS reached, arg_max(seen, len(seen)) AS seen FROM way GROUP BY customer_id
),
followed AS (
    -- All of a circle become its smallest id: otherwise each would be gone into another one, and nobody left.
    SELECT longest.customer_id,
        CASE WHEN step.target_id IS NULL THEN longest.reached
            ELSE list_min(longest.seen[list_position(longest.seen, step.target_id):]) END AS reached
    FROM longest LEFT JOIN {{ ref('stg_customer_merges') }} AS step ON step.source_id = longest.reached
),
known AS (
    SELECT customer_id AS id FROM {{ ref('stg_customers') }}
    UNION SELECT source_id FROM {{ ref('stg_customer_merges') }}
    UNION SELECT target_id FROM {{ ref('stg_customer_merges') }}
)
SELECT known.id AS customer_id, coalesce(followed.reached, known.id) AS current_customer_id
FROM known LEFT JOIN followed ON followed.customer_id = known.id
WHERE known.id IS NOT NULL
