-- The latest merge of a customer counts: that it was absorbed twice would double its rows.
SELECT source_id, arg_max(target_id, (coalesce(created_at, TIMESTAMPTZ '1970-01-01 00:00:00+00'), id)) AS target_id
FROM ({{ live('customer_merges') }})
WHERE source_id <> target_id AND coalesce(status, '') NOT IN ('failed', 'error', 'canceled', 'cancelled')
GROUP BY source_id
