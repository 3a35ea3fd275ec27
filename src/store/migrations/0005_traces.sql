-- The trace (`traceparent`) of the report that put the task, and of the work that wrote the notice; '' for none.
ALTER TABLE tasks ADD COLUMN trace TEXT NOT NULL DEFAULT '';

ALTER TABLE outgoing ADD COLUMN trace TEXT NOT NULL DEFAULT '';
