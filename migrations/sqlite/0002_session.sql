-- What is known of the broker's session, in at most one row.

CREATE TABLE session (
    the_one        INTEGER PRIMARY KEY CHECK (the_one = 1),
    complete_since INTEGER  -- null: a session was lost, and the next is not whole yet
) STRICT;
