-- One row for each customer that there is now.
SELECT customer.customer_id, customer.created_at, customer.updated_at, customer.locale
FROM {{ ref('stg_customers') }} AS customer
JOIN {{ ref('dim_customer_ids') }} AS ids USING (customer_id)
WHERE NOT customer.is_deleted AND ids.current_customer_id = customer.customer_id
