{# Rows that are not deleted at the source: a row without the mark is one of them. #}
{% macro live(table) %}
    SELECT * FROM {{ source('lake', table) }} WHERE NOT coalesce(_deleted, false)
{% endmacro %}

{# The UTC day, whatever time zone the session has. #}
{% macro utc_day(instant) %}
    ({{ instant }} AT TIME ZONE 'UTC')::DATE
{% endmacro %}

{# Seconds between two instants. #}
{% macro seconds(since, until) %}
    (epoch_ms({{ until }}) - epoch_ms({{ since }})) / 1000.0
{% endmacro %}
