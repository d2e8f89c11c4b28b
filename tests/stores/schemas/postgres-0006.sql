SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

SET default_tablespace = '';

SET default_table_access_method = heap;

CREATE TABLE public.changes (
    version bigint NOT NULL,
    writer text NOT NULL,
    changed text NOT NULL
);

CREATE TABLE public.jobs (
    job_id text NOT NULL COLLATE pg_catalog."C",
    namespace_id text COLLATE pg_catalog."C",
    namespace_id_stamp bigint NOT NULL,
    status text COLLATE pg_catalog."C",
    status_stamp bigint NOT NULL,
    target_selection text COLLATE pg_catalog."C",
    target_selection_stamp bigint NOT NULL,
    thing_group_id text COLLATE pg_catalog."C",
    thing_group_id_stamp bigint NOT NULL,
    thing_group_name text COLLATE pg_catalog."C",
    thing_group_name_stamp bigint NOT NULL,
    target_group_names text COLLATE pg_catalog."C",
    target_group_names_stamp bigint NOT NULL,
    is_concurrent integer,
    is_concurrent_stamp bigint NOT NULL,
    created_at bigint,
    created_at_stamp bigint NOT NULL,
    completed_at bigint,
    completed_at_stamp bigint NOT NULL,
    job_arn text COLLATE pg_catalog."C",
    job_arn_stamp bigint NOT NULL,
    earliest_at bigint,
    latest_at bigint,
    born_at bigint NOT NULL,
    deleted_at bigint NOT NULL,
    arrived_at bigint NOT NULL,
    told_since bigint DEFAULT '-2'::integer NOT NULL,
    listed_created_at bigint
);

CREATE VIEW public.counted_jobs AS
 SELECT counted.job_id,
    counted.is_visible,
    counted.namespace_id,
    counted.status,
    counted.target_selection,
    counted.thing_group_id,
    counted.thing_group_name,
    counted.target_group_names,
    counted.is_concurrent,
    counted.created_at,
    counted.completed_at,
    counted.job_arn,
    counted.earliest_at,
    counted.latest_at,
    counted.arrived_at,
    counted.listed_created_at,
    NULLIF(btrim(((COALESCE((substr(counted.target_group_names, 2, (length(counted.target_group_names) - 2)) || ','::text), ''::text) || COALESCE((('"name:'::text || counted.thing_group_name) || '",'::text), ''::text)) || COALESCE((('"id:'::text || counted.thing_group_id) || '"'::text), ''::text)), ','::text), ''::text) AS told_groups
   FROM ( SELECT told.job_id,
            ((told.deleted_at = '-2'::integer) OR (told.born_at > told.deleted_at)) AS is_visible,
                CASE
                    WHEN (told.namespace_id_stamp > told.horizon) THEN told.namespace_id
                    ELSE NULL::text
                END AS namespace_id,
                CASE
                    WHEN (told.status_stamp > told.horizon) THEN told.status
                    ELSE NULL::text
                END AS status,
                CASE
                    WHEN (told.target_selection_stamp > told.horizon) THEN told.target_selection
                    ELSE NULL::text
                END AS target_selection,
                CASE
                    WHEN (told.thing_group_id_stamp > told.horizon) THEN told.thing_group_id
                    ELSE NULL::text
                END AS thing_group_id,
                CASE
                    WHEN (told.thing_group_name_stamp > told.horizon) THEN told.thing_group_name
                    ELSE NULL::text
                END AS thing_group_name,
                CASE
                    WHEN (told.target_group_names_stamp > told.horizon) THEN told.target_group_names
                    ELSE NULL::text
                END AS target_group_names,
                CASE
                    WHEN (told.is_concurrent_stamp > told.horizon) THEN told.is_concurrent
                    ELSE NULL::integer
                END AS is_concurrent,
                CASE
                    WHEN ((told.created_at_stamp > told.horizon) AND (told.created_at > told.deleted_at)) THEN told.created_at
                    ELSE NULL::bigint
                END AS created_at,
                CASE
                    WHEN (told.completed_at_stamp > told.horizon) THEN told.completed_at
                    ELSE NULL::bigint
                END AS completed_at,
                CASE
                    WHEN (told.job_arn_stamp > told.horizon) THEN told.job_arn
                    ELSE NULL::text
                END AS job_arn,
                CASE
                    WHEN (told.earliest_at IS NOT NULL) THEN GREATEST(told.earliest_at, told.deleted_at)
                    ELSE NULL::bigint
                END AS earliest_at,
            told.latest_at,
            told.arrived_at,
            told.listed_created_at
           FROM ( SELECT jobs.job_id,
                    jobs.namespace_id,
                    jobs.namespace_id_stamp,
                    jobs.status,
                    jobs.status_stamp,
                    jobs.target_selection,
                    jobs.target_selection_stamp,
                    jobs.thing_group_id,
                    jobs.thing_group_id_stamp,
                    jobs.thing_group_name,
                    jobs.thing_group_name_stamp,
                    jobs.target_group_names,
                    jobs.target_group_names_stamp,
                    jobs.is_concurrent,
                    jobs.is_concurrent_stamp,
                    jobs.created_at,
                    jobs.created_at_stamp,
                    jobs.completed_at,
                    jobs.completed_at_stamp,
                    jobs.job_arn,
                    jobs.job_arn_stamp,
                    jobs.earliest_at,
                    jobs.latest_at,
                    jobs.born_at,
                    jobs.deleted_at,
                    jobs.arrived_at,
                    jobs.told_since,
                    jobs.listed_created_at,
                    ((jobs.deleted_at * 8) + 7) AS horizon
                   FROM public.jobs) told) counted;

CREATE TABLE public.executions (
    job_id text NOT NULL COLLATE pg_catalog."C",
    thing_name text NOT NULL COLLATE pg_catalog."C",
    status text COLLATE pg_catalog."C",
    status_at bigint NOT NULL,
    execution_number bigint,
    version_number bigint,
    status_rank integer NOT NULL,
    pending_at bigint NOT NULL,
    has_ended integer,
    ended_at bigint,
    queued_at bigint DEFAULT '-2'::integer NOT NULL,
    started_at bigint DEFAULT '-2'::integer NOT NULL,
    waiting_since bigint
);
ALTER TABLE ONLY public.executions ALTER COLUMN has_ended SET STATISTICS 0;

CREATE TABLE public.job_changes (
    job_id text NOT NULL COLLATE pg_catalog."C",
    changed_at bigint NOT NULL,
    status integer,
    former_status integer,
    namespace_id text COLLATE pg_catalog."C",
    is_status_reported boolean NOT NULL
);

CREATE TABLE public.job_summaries (
    created_at bigint NOT NULL,
    job_id text NOT NULL COLLATE pg_catalog."C",
    kind integer NOT NULL,
    namespace_id text COLLATE pg_catalog."C",
    listed text NOT NULL,
    told_groups text COLLATE pg_catalog."C",
    changed_at bigint
);
ALTER TABLE ONLY public.job_summaries ALTER COLUMN kind SET STATISTICS 0;
ALTER TABLE ONLY public.job_summaries ALTER COLUMN namespace_id SET STATISTICS 0;

CREATE TABLE public.job_thing_groups (
    thing_group text NOT NULL COLLATE pg_catalog."C",
    kind integer NOT NULL,
    created_at bigint NOT NULL,
    job_id text NOT NULL COLLATE pg_catalog."C",
    namespace_id text NOT NULL COLLATE pg_catalog."C"
);
ALTER TABLE ONLY public.job_thing_groups ALTER COLUMN kind SET STATISTICS 0;
ALTER TABLE ONLY public.job_thing_groups ALTER COLUMN namespace_id SET STATISTICS 0;

CREATE TABLE public.lease (
    the_one integer NOT NULL,
    generation bigint NOT NULL,
    holder text NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    told text NOT NULL,
    CONSTRAINT lease_the_one_check CHECK ((the_one = 1))
);

CREATE TABLE public.migrations (
    number integer NOT NULL,
    name text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.namespace_activity (
    namespace_id text NOT NULL COLLATE pg_catalog."C",
    slot integer NOT NULL,
    hour bigint NOT NULL,
    changes bigint NOT NULL,
    changed_at bigint NOT NULL
);

CREATE TABLE public.namespace_executions (
    namespace_id text NOT NULL COLLATE pg_catalog."C",
    state text NOT NULL COLLATE pg_catalog."C",
    executions bigint NOT NULL
);

CREATE TABLE public.namespace_jobs (
    namespace_id text NOT NULL COLLATE pg_catalog."C",
    kind integer NOT NULL,
    jobs bigint NOT NULL
);

CREATE TABLE public.pending_lists (
    thing_name text NOT NULL COLLATE pg_catalog."C",
    namespace_id text NOT NULL COLLATE pg_catalog."C",
    listed_at bigint NOT NULL
);

CREATE TABLE public.rejected_messages (
    rejected_message_id bigint NOT NULL,
    digest bytea NOT NULL,
    rejected_at bigint NOT NULL,
    topic text NOT NULL,
    payload bytea NOT NULL,
    reason text NOT NULL
);

CREATE TABLE public.retention (
    the_one integer NOT NULL,
    horizon bigint NOT NULL,
    CONSTRAINT retention_the_one_check CHECK ((the_one = 1))
);

CREATE TABLE public.session (
    the_one integer NOT NULL,
    complete_since bigint,
    CONSTRAINT session_the_one_check CHECK ((the_one = 1))
);

CREATE TABLE public.subscriptions (
    topic_filter text NOT NULL COLLATE pg_catalog."C"
);

CREATE TABLE public.thing_groups (
    thing_group_name text NOT NULL COLLATE pg_catalog."C",
    thing_group_id text NOT NULL COLLATE pg_catalog."C"
);

CREATE TABLE public.writes (
    the_one integer NOT NULL,
    version bigint NOT NULL,
    CONSTRAINT writes_the_one_check CHECK ((the_one = 1))
);

INSERT INTO public.changes VALUES
	(2, 'writer', '[["forgotten"],["acme"],["t-1"]]'),
	(4, 'writer', '[["forgotten"],["acme"],["t-1"]]'),
	(5, 'writer', '[null,["acme","globex"],["t-1","t-2","t-3","t-4"]]'),
	(6, 'writer', '[["every-end","execution-deleted","gg-group","gg-thing","inferred","left-out","left-out-alone","no-numbers","numbers","tried-again","tried-at-once"],["acme","aws-gg-deployment","globex"],["t-1","t-2","t-3","t-4","t-5","t-6","t-7","t-8","t-9"]]'),
	(7, 'writer', '[["untimed","untimed-job"],["acme"],["t-30"]]'),
	(8, 'writer', '[["bulk-0","bulk-1","bulk-2","bulk-3","bulk-4","bulk-5","bulk-6","bulk-7","bulk-8","bulk-9","canceled","canceling","completed","cut-out","deleting","more-to-come"],["acme","globex"],["t-1","t-2","t-20","t-3","t-4","t-5","t-6"]]'),
	(10, 'writer', '[["reborn","reborn-by-execution"],["globex"],["t-1","t-3"]]');

INSERT INTO public.executions VALUES
	('acme-pending', 't-2', 'QUEUED', 1700000110000, 1, 1, 1, 1700000110000, 0, NULL, 1700000110000, -2, 1700000110000),
	('bulk-0', 't-20', 'QUEUED', 1700004000000, 1, 1, 1, 1700004100000, 0, NULL, 1700004000000, -2, 1700004000000),
	('bulk-1', 't-20', 'QUEUED', 1700004001000, 1, 1, 1, 1700004100000, 0, NULL, 1700004001000, -2, 1700004001000),
	('bulk-2', 't-20', 'QUEUED', 1700004002000, 1, 1, 1, 1700004100000, 0, NULL, 1700004002000, -2, 1700004002000),
	('bulk-3', 't-20', 'QUEUED', 1700004003000, 1, 1, 1, 1700004100000, 0, NULL, 1700004003000, -2, 1700004003000),
	('bulk-4', 't-20', 'QUEUED', 1700004004000, 1, 1, 1, 1700004100000, 0, NULL, 1700004004000, -2, 1700004004000),
	('bulk-5', 't-20', 'QUEUED', 1700004005000, 1, 1, 1, 1700004100000, 0, NULL, 1700004005000, -2, 1700004005000),
	('bulk-6', 't-20', 'QUEUED', 1700004006000, 1, 1, 1, 1700004100000, 0, NULL, 1700004006000, -2, 1700004006000),
	('bulk-7', 't-20', 'QUEUED', 1700004007000, 1, 1, 1, 1700004100000, 0, NULL, 1700004007000, -2, 1700004007000),
	('bulk-8', 't-20', 'QUEUED', 1700004008000, 1, 1, 1, 1700004100000, 0, NULL, 1700004008000, -2, 1700004008000),
	('bulk-9', 't-20', 'QUEUED', 1700004009000, 1, 1, 1, 1700004100000, 0, NULL, 1700004009000, -2, 1700004009000),
	('canceled', 't-3', 'CANCELED', 1700005200000, NULL, NULL, 7, -2, 1, 1700005200000, -2, -2, NULL),
	('canceled', 't-4', 'SUCCEEDED', 1700005190000, NULL, NULL, 8, -2, 1, 1700005190000, -2, -2, NULL),
	('canceling', 't-5', 'IN_PROGRESS', 1700005300000, 1, 2, 2, -2, 0, NULL, 1700005290000, 1700005300000, 1700005300000),
	('completed', 't-1', 'SUCCEEDED', 1700005090000, NULL, NULL, 8, 1700004900000, 1, 1700005090000, 1700004900000, -2, NULL),
	('completed', 't-2', 'SUCCEEDED', 1700005095000, NULL, NULL, 8, -2, 1, 1700005095000, -2, -2, NULL),
	('continuous', 't-1', 'SUCCEEDED', 1700000060000, NULL, 3, 8, -2, 1, 1700000060000, -2, -2, NULL),
	('cut-out', 't-20', 'QUEUED', 1700003950000, 1, 1, 1, 1700003950000, 0, NULL, 1700003950000, -2, 1700003950000),
	('deleting', 't-1', 'SUCCEEDED', 1700005449000, NULL, 3, 8, -2, 1, 1700005449000, -2, -2, NULL),
	('every-end', 't-1', 'SUCCEEDED', 1700001201000, NULL, NULL, 8, -2, 1, 1700001201000, -2, -2, NULL),
	('every-end', 't-2', 'FAILED', 1700001202000, NULL, NULL, 4, -2, 1, 1700001202000, -2, -2, NULL),
	('every-end', 't-3', 'REJECTED', 1700001203000, NULL, NULL, 5, -2, 1, 1700001203000, -2, -2, NULL),
	('every-end', 't-4', 'REMOVED', 1700001204000, NULL, NULL, 6, -2, 1, 1700001204000, -2, -2, NULL),
	('every-end', 't-5', 'TIMED_OUT', 1700001205000, NULL, NULL, 3, -2, 1, 1700001205000, -2, -2, NULL),
	('every-end', 't-6', 'CANCELED', 1700001206000, NULL, NULL, 7, -2, 1, 1700001206000, -2, -2, NULL),
	('execution-deleted', 't-1', 'SUCCEEDED', 1700001500000, NULL, NULL, 8, -2, 1, 1700001500000, -2, -2, NULL),
	('execution-deleted', 't-2', 'DELETED', 1700001510000, NULL, NULL, 9, -2, 1, 1700001510000, -2, -2, NULL),
	('gg-group', 't-7', 'QUEUED', 1700001600000, 1, 1, 1, -2, 0, NULL, 1700001600000, -2, 1700001600000),
	('gg-thing', 't-8', 'QUEUED', 1700001610000, 1, 1, 1, -2, 0, NULL, 1700001610000, -2, 1700001610000),
	('inferred', 't-3', 'SUCCEEDED', 1700001000000, NULL, 3, 8, 1700000210000, 1, 1700001000000, 1700000210000, -2, NULL),
	('inferred', 't-4', 'FAILED', 1700001010000, NULL, 3, 4, -2, 1, 1700001010000, 1700000205000, 1700000220000, NULL),
	('left-out', 't-2', 'QUEUED', 1700000120000, 1, 1, 1, 1700000120000, 1, NULL, 1700000120000, -2, NULL),
	('left-out-alone', 't-9', 'QUEUED', 1700001700000, 1, 1, 1, 1700001700000, 1, NULL, 1700001700000, -2, NULL),
	('more-to-come', 't-6', 'SUCCEEDED', 1700005550000, NULL, 3, 8, -2, 1, 1700005550000, -2, -2, NULL),
	('no-numbers', 't-5', 'QUEUED', 1700001300000, NULL, NULL, 1, -2, 0, NULL, 1700001300000, -2, 1700001300000),
	('numbers', 't-5', 'IN_PROGRESS', 1700001330000, 1, 7, 2, -2, 0, NULL, 1700001310000, 1700001320000, 1700001320000),
	('reborn', 't-1', 'QUEUED', 1700007002000, 1, 1, 1, 1700007002000, 0, NULL, 1700007002000, -2, 1700007002000),
	('reborn-by-execution', 't-3', 'QUEUED', 1700006500000, 1, 1, 1, -2, 0, NULL, 1700006500000, -2, 1700006500000),
	('snapshot', 't-1', 'IN_PROGRESS', 1700000040000, NULL, 2, 2, 1700000030000, 0, NULL, 1700000030000, -2, 1700000030000),
	('tried-again', 't-6', 'QUEUED', 1700001411000, 2, 1, 1, 1700001420000, 0, NULL, 1700001411000, -2, 1700001411000),
	('tried-at-once', 't-6', 'FAILED', 1700001410000, NULL, NULL, 4, 1700001420000, 1, 1700001410000, 1700001410000, -2, NULL),
	('untimed', 't-30', 'QUEUED', -1, NULL, NULL, 1, -2, 0, NULL, -2, -2, NULL);

INSERT INTO public.job_changes VALUES
	('acme-pending', 1700001100000, 3, NULL, 'acme', false),
	('bulk-0', 1700005600000, 3, NULL, 'globex', false),
	('bulk-1', 1700005600000, 3, NULL, 'globex', false),
	('bulk-2', 1700005600000, 3, NULL, 'globex', false),
	('bulk-3', 1700005600000, 3, NULL, 'globex', false),
	('bulk-4', 1700005600000, 3, NULL, 'globex', false),
	('bulk-5', 1700005600000, 3, NULL, 'globex', false),
	('bulk-6', 1700005600000, 3, NULL, 'globex', false),
	('bulk-7', 1700005600000, 3, NULL, 'globex', false),
	('bulk-8', 1700005600000, 3, NULL, 'globex', false),
	('bulk-9', 1700005600000, 3, NULL, 'globex', false),
	('canceled', 1700005600000, 9, NULL, NULL, true),
	('canceling', 1700005600000, 9, NULL, NULL, true),
	('completed', 1700005600000, 6, NULL, NULL, true),
	('continuous', 1700001100000, 3, NULL, 'acme', false),
	('cut-out', 1700005600000, 3, NULL, 'globex', true),
	('deleting', 1700005600000, 12, NULL, 'acme', true),
	('every-end', 1700002100000, 6, NULL, NULL, false),
	('execution-deleted', 1700002100000, 6, NULL, NULL, false),
	('gg-group', 1700002100000, 3, NULL, 'aws-gg-deployment', false),
	('gg-thing', 1700002100000, 3, NULL, 'aws-gg-deployment', false),
	('group-by-id', 1700001100000, 3, NULL, 'globex', true),
	('inferred', 1700001100000, 3, NULL, 'acme', false),
	('inferred', 1700002100000, 6, 3, 'acme', false),
	('left-out', 1700001100000, 3, NULL, 'globex', true),
	('left-out-alone', 1700002100000, 6, NULL, 'globex', false),
	('more-to-come', 1700005600000, 6, NULL, 'acme', false),
	('no-numbers', 1700002100000, 3, NULL, NULL, false),
	('numbers', 1700002100000, 3, NULL, NULL, false),
	('one-group', 1700001100000, 3, NULL, 'acme', true),
	('reborn', 1700007200000, 3, NULL, 'globex', true),
	('reborn-by-execution', 1700007200000, 3, NULL, NULL, false),
	('scheduled', 1700001100000, 0, NULL, 'acme', true),
	('several-groups', 1700001100000, 3, NULL, 'globex', true),
	('snapshot', 1700001100000, 3, NULL, 'acme', true),
	('tried-again', 1700002100000, 3, NULL, NULL, false),
	('tried-at-once', 1700002100000, 6, NULL, NULL, false),
	('untimed', 1700003100000, 3, NULL, NULL, false),
	('untimed-job', 1700003100000, 3, NULL, 'acme', true);

INSERT INTO public.job_summaries VALUES
	(1700000010000, 'scheduled', 2, 'acme', '{"jobArn":"arn:aws:iot:eu-central-1:123456789012:job/scheduled","jobId":"scheduled","status":"SCHEDULED","targetSelection":"SNAPSHOT","createdAt":1700000010,"lastUpdatedAt":1700000010}', NULL, NULL),
	(1700000020000, 'snapshot', 5, 'acme', '{"jobArn":"arn:aws:iot:eu-central-1:123456789012:job/snapshot","jobId":"snapshot","status":"IN_PROGRESS","isConcurrent":false,"targetSelection":"SNAPSHOT","createdAt":1700000020,"lastUpdatedAt":1700000040}', NULL, NULL),
	(1700000050000, 'continuous', 4, 'acme', '{"jobArn":"arn:aws:iot:eu-central-1:123456789012:job/continuous","jobId":"continuous","status":"IN_PROGRESS","isConcurrent":true,"targetSelection":"CONTINUOUS","thingGroupId":"f1000000-aaaa-4bbb-8ccc-000000000001","createdAt":1700000050,"lastUpdatedAt":1700000060}', '"name:floor-1","id:f1000000-aaaa-4bbb-8ccc-000000000001"', NULL),
	(1700000070000, 'group-by-id', 3, 'globex', '{"jobArn":"arn:aws:iot:eu-central-1:123456789012:job/group-by-id","jobId":"group-by-id","status":"IN_PROGRESS","thingGroupId":"1ab00000-aaaa-4bbb-8ccc-000000000002","createdAt":1700000070,"lastUpdatedAt":1700000070}', '"id:1ab00000-aaaa-4bbb-8ccc-000000000002"', NULL),
	(1700000080000, 'one-group', 5, 'acme', '{"jobArn":"arn:aws:iot:eu-central-1:123456789012:job/one-group","jobId":"one-group","status":"IN_PROGRESS","targetSelection":"SNAPSHOT"%(floor-1)b,"createdAt":1700000080,"lastUpdatedAt":1700000080}', '"name:floor-1"', NULL),
	(1700000090000, 'several-groups', 5, 'globex', '{"jobArn":"arn:aws:iot:eu-central-1:123456789012:job/several-groups","jobId":"several-groups","status":"IN_PROGRESS","targetSelection":"SNAPSHOT","createdAt":1700000090,"lastUpdatedAt":1700000090}', '"name:a:b", "name:floor-1", "name:lab"', NULL),
	(1700000099000, 'acme-pending', 5, 'acme', '{"jobArn":"arn:aws:iot:eu-central-1:123456789012:job/acme-pending","jobId":"acme-pending","status":"IN_PROGRESS","targetSelection":"SNAPSHOT","createdAt":1700000099,"lastUpdatedAt":1700000110}', NULL, NULL),
	(1700000099000, 'left-out', 3, 'globex', '{"jobArn":"arn:aws:iot:eu-central-1:123456789012:job/left-out","jobId":"left-out","status":"IN_PROGRESS","createdAt":1700000099,"lastUpdatedAt":1700000120}', NULL, NULL),
	(1700000200000, 'inferred', 8, 'acme', '{"jobArn":"arn:aws:iot:eu-central-1:123456789012:job/inferred","jobId":"inferred","status":"COMPLETED","targetSelection":"SNAPSHOT","createdAt":1700000200,"completedAt":1700001010,"lastUpdatedAt":1700001010}', NULL, NULL),
	(1700001201000, 'every-end', 6, NULL, '{"jobArn":"%()bevery-end","jobId":"every-end","status":"COMPLETED","createdAt":1700001201,"completedAt":1700001206,"lastUpdatedAt":1700001206}', NULL, NULL),
	(1700001300000, 'no-numbers', 3, NULL, '{"jobArn":"%()bno-numbers","jobId":"no-numbers","status":"IN_PROGRESS","createdAt":1700001300,"lastUpdatedAt":1700001300}', NULL, NULL),
	(1700001310000, 'numbers', 3, NULL, '{"jobArn":"%()bnumbers","jobId":"numbers","status":"IN_PROGRESS","createdAt":1700001310,"lastUpdatedAt":1700001330}', NULL, NULL),
	(1700001400000, 'tried-again', 3, NULL, '{"jobArn":"%()btried-again","jobId":"tried-again","status":"IN_PROGRESS","createdAt":1700001400,"lastUpdatedAt":1700001411}', NULL, NULL),
	(1700001400000, 'tried-at-once', 6, NULL, '{"jobArn":"%()btried-at-once","jobId":"tried-at-once","status":"COMPLETED","createdAt":1700001400,"completedAt":1700001410,"lastUpdatedAt":1700001410}', NULL, NULL),
	(1700001500000, 'execution-deleted', 6, NULL, '{"jobArn":"%()bexecution-deleted","jobId":"execution-deleted","status":"COMPLETED","createdAt":1700001500,"completedAt":1700001510,"lastUpdatedAt":1700001510}', NULL, NULL),
	(1700001600000, 'gg-group', 3, 'aws-gg-deployment', '{"jobArn":"%()bgg-group","jobId":"gg-group","status":"IN_PROGRESS"%(lab)b,"createdAt":1700001600,"lastUpdatedAt":1700001600}', '"name:lab"', NULL),
	(1700001610000, 'gg-thing', 3, 'aws-gg-deployment', '{"jobArn":"%()bgg-thing","jobId":"gg-thing","status":"IN_PROGRESS","createdAt":1700001610,"lastUpdatedAt":1700001610}', NULL, NULL),
	(1700001700000, 'left-out-alone', 6, 'globex', '{"jobArn":"%()bleft-out-alone","jobId":"left-out-alone","status":"COMPLETED","createdAt":1700001700,"lastUpdatedAt":1700001700}', NULL, NULL),
	(1700003100000, 'untimed', 3, NULL, '{"jobArn":"%()buntimed","jobId":"untimed","status":"IN_PROGRESS","createdAt":1700003100,"lastUpdatedAt":1700003100}', NULL, 1700003100000),
	(1700003100000, 'untimed-job', 3, 'acme', '{"jobArn":"%()buntimed-job","jobId":"untimed-job","status":"IN_PROGRESS","createdAt":1700003100,"lastUpdatedAt":1700003100}', NULL, 1700003100000),
	(1700003900000, 'cut-out', 3, 'globex', '{"jobArn":"arn:aws:iot:eu-central-1:123456789012:job/cut-out","jobId":"cut-out","status":"IN_PROGRESS","createdAt":1700003900,"lastUpdatedAt":1700003950}', NULL, NULL),
	(1700004000000, 'bulk-0', 3, 'globex', '{"jobArn":"%()bbulk-0","jobId":"bulk-0","status":"IN_PROGRESS","createdAt":1700004000,"lastUpdatedAt":1700004000}', NULL, NULL),
	(1700004001000, 'bulk-1', 3, 'globex', '{"jobArn":"%()bbulk-1","jobId":"bulk-1","status":"IN_PROGRESS","createdAt":1700004001,"lastUpdatedAt":1700004001}', NULL, NULL),
	(1700004002000, 'bulk-2', 3, 'globex', '{"jobArn":"%()bbulk-2","jobId":"bulk-2","status":"IN_PROGRESS","createdAt":1700004002,"lastUpdatedAt":1700004002}', NULL, NULL),
	(1700004003000, 'bulk-3', 3, 'globex', '{"jobArn":"%()bbulk-3","jobId":"bulk-3","status":"IN_PROGRESS","createdAt":1700004003,"lastUpdatedAt":1700004003}', NULL, NULL),
	(1700004004000, 'bulk-4', 3, 'globex', '{"jobArn":"%()bbulk-4","jobId":"bulk-4","status":"IN_PROGRESS","createdAt":1700004004,"lastUpdatedAt":1700004004}', NULL, NULL),
	(1700004005000, 'bulk-5', 3, 'globex', '{"jobArn":"%()bbulk-5","jobId":"bulk-5","status":"IN_PROGRESS","createdAt":1700004005,"lastUpdatedAt":1700004005}', NULL, NULL),
	(1700004006000, 'bulk-6', 3, 'globex', '{"jobArn":"%()bbulk-6","jobId":"bulk-6","status":"IN_PROGRESS","createdAt":1700004006,"lastUpdatedAt":1700004006}', NULL, NULL),
	(1700004007000, 'bulk-7', 3, 'globex', '{"jobArn":"%()bbulk-7","jobId":"bulk-7","status":"IN_PROGRESS","createdAt":1700004007,"lastUpdatedAt":1700004007}', NULL, NULL),
	(1700004008000, 'bulk-8', 3, 'globex', '{"jobArn":"%()bbulk-8","jobId":"bulk-8","status":"IN_PROGRESS","createdAt":1700004008,"lastUpdatedAt":1700004008}', NULL, NULL),
	(1700004009000, 'bulk-9', 3, 'globex', '{"jobArn":"%()bbulk-9","jobId":"bulk-9","status":"IN_PROGRESS","createdAt":1700004009,"lastUpdatedAt":1700004009}', NULL, NULL),
	(1700004800125, 'completed', 8, NULL, '{"jobArn":"%()bcompleted","jobId":"completed","status":"COMPLETED","targetSelection":"SNAPSHOT","createdAt":1700004800.125,"completedAt":1700005099.5,"lastUpdatedAt":1700005099.5}', NULL, NULL),
	(1700005110250, 'canceled', 9, NULL, '{"jobArn":"%()bcanceled","jobId":"canceled","status":"CANCELED","createdAt":1700005110.25,"lastUpdatedAt":1700005200.75}', NULL, NULL),
	(1700005280500, 'canceling', 9, NULL, '{"jobArn":"%()bcanceling","jobId":"canceling","status":"CANCELED","createdAt":1700005280.5,"lastUpdatedAt":1700005309.5}', NULL, NULL),
	(1700005400000, 'deleting', 12, 'acme', '{"jobArn":"arn:aws:iot:eu-central-1:123456789012:job/deleting","jobId":"deleting","status":"DELETION_IN_PROGRESS","createdAt":1700005400,"completedAt":1700005450,"lastUpdatedAt":1700005499.5}', NULL, NULL),
	(1700005510000, 'more-to-come', 8, 'acme', '{"jobArn":"arn:aws:iot:eu-central-1:123456789012:job/more-to-come","jobId":"more-to-come","status":"COMPLETED","targetSelection":"SNAPSHOT","createdAt":1700005510,"completedAt":1700005550,"lastUpdatedAt":1700005550}', NULL, NULL),
	(1700006020000, 'reborn-by-execution', 3, NULL, '{"jobArn":"%()breborn-by-execution","jobId":"reborn-by-execution","status":"IN_PROGRESS","createdAt":1700006020,"lastUpdatedAt":1700006500}', NULL, NULL),
	(1700007000000, 'reborn', 5, 'globex', '{"jobArn":"arn:aws:iot:eu-central-1:123456789012:job/reborn","jobId":"reborn","status":"IN_PROGRESS","targetSelection":"SNAPSHOT","createdAt":1700007000,"lastUpdatedAt":1700007002}', NULL, NULL);

INSERT INTO public.job_thing_groups VALUES
	('both:floor-1/f1000000-aaaa-4bbb-8ccc-000000000001', 4, 1700000050000, 'continuous', 'acme'),
	('id:1ab00000-aaaa-4bbb-8ccc-000000000002', 3, 1700000070000, 'group-by-id', 'globex'),
	('id:f1000000-aaaa-4bbb-8ccc-000000000001', 4, 1700000050000, 'continuous', 'acme'),
	('name:a:b', 5, 1700000090000, 'several-groups', 'globex'),
	('name:floor-1', 4, 1700000050000, 'continuous', 'acme'),
	('name:floor-1', 5, 1700000080000, 'one-group', 'acme'),
	('name:floor-1', 5, 1700000090000, 'several-groups', 'globex'),
	('name:lab', 3, 1700001600000, 'gg-group', 'aws-gg-deployment'),
	('name:lab', 5, 1700000090000, 'several-groups', 'globex'),
	('names:a:b/floor-1', 5, 1700000090000, 'several-groups', 'globex'),
	('names:a:b/lab', 5, 1700000090000, 'several-groups', 'globex'),
	('names:floor-1/lab', 5, 1700000090000, 'several-groups', 'globex');

INSERT INTO public.jobs VALUES
	('acme-pending', 'acme', 13600000880000, NULL, -16, 'SNAPSHOT', 13600000792000, NULL, -16, NULL, -16, NULL, -16, NULL, -16, 1700000099000, 13600000792000, NULL, -16, 'arn:aws:iot:eu-central-1:123456789012:job/acme-pending', 13600000792000, 1700000099000, 1700000110000, 1700000110000, -2, 1700001100000, 1668464100000, 1700000099000),
	('bulk-0', 'globex', 13600032000000, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, 1700004000000, 1700004000000, 1700004000000, -2, 1700005600000, 1668464100000, 1700004000000),
	('bulk-1', 'globex', 13600032008000, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, 1700004001000, 1700004001000, 1700004001000, -2, 1700005600000, 1668464100000, 1700004001000),
	('bulk-2', 'globex', 13600032016000, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, 1700004002000, 1700004002000, 1700004002000, -2, 1700005600000, 1668464100000, 1700004002000),
	('bulk-3', 'globex', 13600032024000, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, 1700004003000, 1700004003000, 1700004003000, -2, 1700005600000, 1668464100000, 1700004003000),
	('bulk-4', 'globex', 13600032032000, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, 1700004004000, 1700004004000, 1700004004000, -2, 1700005600000, 1668464100000, 1700004004000),
	('bulk-5', 'globex', 13600032040000, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, 1700004005000, 1700004005000, 1700004005000, -2, 1700005600000, 1668464100000, 1700004005000),
	('bulk-6', 'globex', 13600032048000, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, 1700004006000, 1700004006000, 1700004006000, -2, 1700005600000, 1668464100000, 1700004006000),
	('bulk-7', 'globex', 13600032056000, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, 1700004007000, 1700004007000, 1700004007000, -2, 1700005600000, 1668464100000, 1700004007000),
	('bulk-8', 'globex', 13600032064000, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, 1700004008000, 1700004008000, 1700004008000, -2, 1700005600000, 1668464100000, 1700004008000),
	('bulk-9', 'globex', 13600032072000, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, 1700004009000, 1700004009000, 1700004009000, -2, 1700005600000, 1668464100000, 1700004009000),
	('canceled', NULL, -16, 'CANCELED', 13600041606004, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, 1700005110250, 13600041606004, NULL, -16, NULL, -16, 1700005110250, 1700005200750, 1700005110250, -2, 1700005600000, 1668464100000, 1700005110250),
	('canceling', NULL, -16, 'CANCELED', 13600042476004, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, 1700005280500, 13600042476004, NULL, -16, NULL, -16, 1700005280500, 1700005309500, 1700005290000, -2, 1700005600000, 1668464100000, 1700005280500),
	('completed', NULL, -16, 'COMPLETED', 13600040796003, 'SNAPSHOT', 13600040796003, NULL, -16, NULL, -16, '[]', 13600040796003, NULL, -16, 1700004800125, 13600040796003, 1700005099500, 13600040796003, NULL, -16, 1700004800125, 1700005099500, 1700004900000, -2, 1700005600000, 1668464100000, 1700004800125),
	('continuous', 'acme', 13600000480000, NULL, -16, 'CONTINUOUS', 13600000400000, 'f1000000-aaaa-4bbb-8ccc-000000000001', 13600000400000, 'floor-1', 13600000400000, NULL, -16, 1, 13600000400000, 1700000050000, 13600000400000, NULL, -16, 'arn:aws:iot:eu-central-1:123456789012:job/continuous', 13600000400000, 1700000050000, 1700000060000, 1700000050000, -2, 1700001100000, 1668464100000, 1700000050000),
	('cut-out', 'globex', 13600031600000, 'IN_PROGRESS', 13600031200002, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, 1700003900000, 13600031200002, NULL, -16, 'arn:aws:iot:eu-central-1:123456789012:job/cut-out', 13600031200002, 1700003900000, 1700003950000, 1700003950000, -2, 1700005600000, 1668464100000, 1700003900000),
	('deleted', 'acme', 13600046400003, 'COMPLETED', 13600046400003, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, 1700005700000, 13600046400003, 1700005800000, 13600046400003, 'arn:aws:iot:eu-central-1:123456789012:job/deleted', 13600046400003, 1700005700000, 1700005800000, 1700005700000, 1700006000000, 1700006200000, 1668464100000, NULL),
	('deleting', 'acme', 13600043600003, 'DELETION_IN_PROGRESS', 13600043996005, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, 1700005400000, 13600043996005, 1700005450000, 13600043600003, 'arn:aws:iot:eu-central-1:123456789012:job/deleting', 13600043600003, 1700005400000, 1700005499500, 1700005400000, -2, 1700005600000, 1668464100000, 1700005400000),
	('every-end', NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, 1700001201000, 1700001206000, -2, -2, 1700002100000, 1668464100000, 1700001201000),
	('execution-deleted', NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, 1700001500000, 1700001510000, -2, -2, 1700002100000, 1668464100000, 1700001500000),
	('gg-group', 'aws-gg-deployment', 13600012800000, NULL, -16, NULL, -16, NULL, -16, 'lab', 13600012800000, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, 1700001600000, 1700001600000, 1700001600000, -2, 1700002100000, 1668464100000, 1700001600000),
	('gg-thing', 'aws-gg-deployment', 13600012880000, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, 1700001610000, 1700001610000, 1700001610000, -2, 1700002100000, 1668464100000, 1700001610000),
	('group-by-id', 'globex', 13600000560002, 'IN_PROGRESS', 13600000560002, NULL, -16, '1ab00000-aaaa-4bbb-8ccc-000000000002', 13600000560002, NULL, -16, NULL, -16, NULL, -16, 1700000070000, 13600000560002, NULL, -16, 'arn:aws:iot:eu-central-1:123456789012:job/group-by-id', 13600000560002, 1700000070000, 1700000070000, 1700000070000, -2, 1700001100000, 1668464100000, 1700000070000),
	('inferred', 'acme', 13600008080000, NULL, -16, 'SNAPSHOT', 13600001600000, NULL, -16, NULL, -16, NULL, -16, NULL, -16, 1700000200000, 13600001600000, NULL, -16, 'arn:aws:iot:eu-central-1:123456789012:job/inferred', 13600001600000, 1700000200000, 1700001010000, 1700000210000, -2, 1700001100000, 1668464100000, 1700000200000),
	('left-out', 'globex', 13600000960000, 'IN_PROGRESS', 13600000792002, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, 1700000099000, 13600000792002, NULL, -16, 'arn:aws:iot:eu-central-1:123456789012:job/left-out', 13600000792002, 1700000099000, 1700000120000, 1700000120000, -2, 1700001100000, 1668464100000, 1700000099000),
	('left-out-alone', 'globex', 13600013600000, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, 1700001700000, 1700001700000, 1700001700000, -2, 1700002100000, 1668464100000, 1700001700000),
	('more-to-come', 'acme', 13600044400000, NULL, -16, 'SNAPSHOT', 13600044080000, NULL, -16, NULL, -16, NULL, -16, NULL, -16, 1700005510000, 13600044080000, NULL, -16, 'arn:aws:iot:eu-central-1:123456789012:job/more-to-come', 13600044080000, 1700005510000, 1700005550000, 1700005510000, -2, 1700005600000, 1668464100000, 1700005510000),
	('no-numbers', NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, 1700001300000, 1700001300000, 1700001300000, -2, 1700002100000, 1668464100000, 1700001300000),
	('numbers', NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, 1700001310000, 1700001330000, 1700001310000, -2, 1700002100000, 1668464100000, 1700001310000),
	('one-group', 'acme', 13600000640002, 'IN_PROGRESS', 13600000640002, 'SNAPSHOT', 13600000640002, NULL, -16, NULL, -16, '["name:floor-1"]', 13600000640002, NULL, -16, 1700000080000, 13600000640002, NULL, -16, 'arn:aws:iot:eu-central-1:123456789012:job/one-group', 13600000640002, 1700000080000, 1700000080000, 1700000080000, -2, 1700001100000, 1668464100000, 1700000080000),
	('reborn', 'globex', 13600056016000, 'IN_PROGRESS', 13600056008002, 'SNAPSHOT', 13600056008002, NULL, -16, NULL, -16, '[]', 13600056008002, NULL, -16, 1700007000000, 13600056008002, NULL, -16, 'arn:aws:iot:eu-central-1:123456789012:job/reborn', 13600056008002, 1700005710000, 1700007002000, 1700007002000, 1700006010000, 1700006200000, 1668464100000, 1700007000000),
	('reborn-at-once', 'globex', 13600048328002, 'IN_PROGRESS', 13600048328002, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, 1700006039000, 13600048328002, NULL, -16, 'arn:aws:iot:eu-central-1:123456789012:job/reborn-at-once', 13600048328002, 1700005730000, 1700006041000, 1700006039000, 1700006040000, 1700006200000, 1668464100000, NULL),
	('reborn-by-execution', 'acme', 13600046560004, 'CANCELED', 13600046560004, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, 1700005720000, 13600046560004, NULL, -16, 'arn:aws:iot:eu-central-1:123456789012:job/reborn-by-execution', 13600046560004, 1700005720000, 1700006500000, 1700006500000, 1700006020000, 1700006200000, 1668464100000, 1700006020000),
	('scheduled', 'acme', 13600000080001, 'SCHEDULED', 13600000080001, 'SNAPSHOT', 13600000080001, NULL, -16, NULL, -16, NULL, -16, NULL, -16, 1700000010000, 13600000080001, NULL, -16, 'arn:aws:iot:eu-central-1:123456789012:job/scheduled', 13600000080001, 1700000010000, 1700000010000, 1700000010000, -2, 1700001100000, 1668464100000, 1700000010000),
	('several-groups', 'globex', 13600000720002, 'IN_PROGRESS', 13600000720002, 'SNAPSHOT', 13600000720002, NULL, -16, NULL, -16, '["name:a:b", "name:floor-1", "name:lab"]', 13600000720002, NULL, -16, 1700000090000, 13600000720002, NULL, -16, 'arn:aws:iot:eu-central-1:123456789012:job/several-groups', 13600000720002, 1700000090000, 1700000090000, 1700000090000, -2, 1700001100000, 1668464100000, 1700000090000),
	('snapshot', 'acme', 13600000320000, 'IN_PROGRESS', 13600000200002, 'SNAPSHOT', 13600000200002, NULL, -16, NULL, -16, '[]', 13600000200002, 0, 13600000200002, 1700000020000, 13600000200002, NULL, -16, 'arn:aws:iot:eu-central-1:123456789012:job/snapshot', 13600000200002, 1700000020000, 1700000040000, 1700000030000, -2, 1700001100000, 1668464100000, 1700000020000),
	('tried-again', NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, 1700001400000, 1700001411000, 1700001411000, -2, 1700002100000, 1668464100000, 1700001400000),
	('tried-at-once', NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, 1700001400000, 1700001410000, 1700001410000, -2, 1700002100000, 1668464100000, 1700001400000),
	('untimed', NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, NULL, -2, -2, 1700003100000, 1668464100000, 1700003100000),
	('untimed-deleted', NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, NULL, -2, -1, 1700003100000, 1668464100000, NULL),
	('untimed-job', 'acme', -6, 'IN_PROGRESS', -6, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, -16, NULL, NULL, -2, -2, 1700003100000, 1668464100000, 1700003100000);

INSERT INTO public.lease VALUES
	(1, 1, '', '2026-11-24 00:00:00+00', '{}');

INSERT INTO public.migrations VALUES
	(0, 'turn', '2026-11-24 00:00:00+00'),
	(6, 'index', '2026-11-24 00:00:00+00');

INSERT INTO public.namespace_activity VALUES
	('', 0, 472224, 1, 1700007200000),
	('', 22, 472222, 6, 1700002100000),
	('', 23, 472223, 4, 1700005600000),
	('acme', 22, 472222, 7, 1700002100000),
	('acme', 23, 472223, 3, 1700005600000),
	('aws-gg-deployment', 22, 472222, 2, 1700002100000),
	('globex', 0, 472224, 1, 1700007200000),
	('globex', 22, 472222, 4, 1700002100000),
	('globex', 23, 472223, 11, 1700005600000);

INSERT INTO public.namespace_executions VALUES
	('', 'CANCELED', 2),
	('', 'FAILED', 2),
	('', 'IN_PROGRESS', 2),
	('', 'QUEUED', 4),
	('', 'REJECTED', 1),
	('', 'REMOVED', 1),
	('', 'SUCCEEDED', 5),
	('', 'TIMED_OUT', 1),
	('acme', 'FAILED', 1),
	('acme', 'IN_PROGRESS', 1),
	('acme', 'QUEUED', 1),
	('acme', 'SUCCEEDED', 4),
	('aws-gg-deployment', 'QUEUED', 2),
	('globex', 'ENDED', 2),
	('globex', 'QUEUED', 12);

INSERT INTO public.namespace_jobs VALUES
	('', 3, 5),
	('', 6, 3),
	('', 8, 1),
	('', 9, 2),
	('acme', 2, 1),
	('acme', 3, 1),
	('acme', 4, 1),
	('acme', 5, 3),
	('acme', 8, 2),
	('acme', 12, 1),
	('aws-gg-deployment', 3, 2),
	('globex', 3, 13),
	('globex', 5, 2),
	('globex', 6, 1);

INSERT INTO public.pending_lists VALUES
	('t-1', '', 1700004900000),
	('t-1', 'acme', 1700000030000),
	('t-1', 'globex', 1700007002000),
	('t-2', 'acme', 1700000110000),
	('t-2', 'globex', 1700002000000),
	('t-20', 'globex', 1700003950000),
	('t-3', 'acme', 1700000210000),
	('t-6', '', 1700001420000),
	('t-9', 'globex', 1700001800000);

INSERT INTO public.rejected_messages VALUES
	(1, '\xeebaca8c555102e828ce6736a0c6c09f191f812481e6f6b1757a7b7361608d09', 1700003100000, '$aws/things/t-1/jobs/notify', '\x7b2274696d657374616d70223a20', 'payload: b''{"timestamp": '' is not JSON in UTF-8 (unexpected end of data: line 1 column 15 (char 14))'),
	(2, '\x44f528117d39ccf022621cc36f9609bba43a18cf29022edd35d9f7cb31b44d85', 1700003100000, '$aws/events/job/scheduled/completed', '\x7b226a6f624964223a2022616e6f74686572227d', 'jobId: ''another'' is not ''scheduled'', as the topic says'),
	(3, '\x6ea0488a6ffc1dee8b96c97df1ac1fc4957378a824a2086c2001eee076340bb2', 1700003100000, '$aws/things/t-1/jobs/scheduled/get/accepted', '\x00ff270a', 'payload: b"\x00\xff''\n" is not JSON in UTF-8 (str is not valid UTF-8: surrogates not allowed: line 1 column 1 (char 0))');

INSERT INTO public.retention VALUES
	(1, 1668464100000);

INSERT INTO public.session VALUES
	(1, 1700000000000);

INSERT INTO public.subscriptions VALUES
	('$aws/events/job/#'),
	('$aws/events/jobExecution/#'),
	('$aws/events/thingGroup/#'),
	('$aws/things/+/jobs/#');

INSERT INTO public.thing_groups VALUES
	('', '1ab00000-aaaa-4bbb-8ccc-000000000002'),
	('a:b', ''),
	('floor-1', ''),
	('floor-1', 'f1000000-aaaa-4bbb-8ccc-000000000001'),
	('lab', ''),
	('lab', '1ab00000-aaaa-4bbb-8ccc-000000000002'),
	('unused', '');

INSERT INTO public.writes VALUES
	(1, 10);

ALTER TABLE ONLY public.changes
    ADD CONSTRAINT changes_pkey PRIMARY KEY (version);

ALTER TABLE ONLY public.executions
    ADD CONSTRAINT executions_pkey PRIMARY KEY (job_id, thing_name);

ALTER TABLE ONLY public.job_changes
    ADD CONSTRAINT job_changes_pkey PRIMARY KEY (job_id, changed_at);

ALTER TABLE ONLY public.job_summaries
    ADD CONSTRAINT job_summaries_pkey PRIMARY KEY (created_at, job_id);

ALTER TABLE ONLY public.job_thing_groups
    ADD CONSTRAINT job_thing_groups_pkey PRIMARY KEY (thing_group, kind, created_at, job_id);

ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_pkey PRIMARY KEY (job_id);

ALTER TABLE ONLY public.lease
    ADD CONSTRAINT lease_pkey PRIMARY KEY (the_one);

ALTER TABLE ONLY public.migrations
    ADD CONSTRAINT migrations_pkey PRIMARY KEY (number);

ALTER TABLE ONLY public.namespace_activity
    ADD CONSTRAINT namespace_activity_pkey PRIMARY KEY (namespace_id, slot);

ALTER TABLE ONLY public.namespace_executions
    ADD CONSTRAINT namespace_executions_pkey PRIMARY KEY (namespace_id, state);

ALTER TABLE ONLY public.namespace_jobs
    ADD CONSTRAINT namespace_jobs_pkey PRIMARY KEY (namespace_id, kind);

ALTER TABLE ONLY public.pending_lists
    ADD CONSTRAINT pending_lists_pkey PRIMARY KEY (thing_name, namespace_id);

ALTER TABLE ONLY public.rejected_messages
    ADD CONSTRAINT rejected_messages_digest_key UNIQUE (digest);

ALTER TABLE ONLY public.rejected_messages
    ADD CONSTRAINT rejected_messages_pkey PRIMARY KEY (rejected_message_id);

ALTER TABLE ONLY public.retention
    ADD CONSTRAINT retention_pkey PRIMARY KEY (the_one);

ALTER TABLE ONLY public.session
    ADD CONSTRAINT session_pkey PRIMARY KEY (the_one);

ALTER TABLE ONLY public.subscriptions
    ADD CONSTRAINT subscriptions_pkey PRIMARY KEY (topic_filter);

ALTER TABLE ONLY public.thing_groups
    ADD CONSTRAINT thing_groups_pkey PRIMARY KEY (thing_group_name, thing_group_id);

ALTER TABLE ONLY public.writes
    ADD CONSTRAINT writes_pkey PRIMARY KEY (the_one);

CREATE INDEX executions_by_thing ON public.executions USING btree (thing_name, queued_at, job_id);

CREATE INDEX executions_ends ON public.executions USING btree (job_id, has_ended, ended_at);

CREATE INDEX executions_pending ON public.executions USING btree (thing_name) WHERE (has_ended = 0);

CREATE INDEX executions_waiting ON public.executions USING btree (waiting_since, job_id, thing_name) WHERE (waiting_since IS NOT NULL);

CREATE INDEX job_summaries_by_kind ON public.job_summaries USING btree (kind, created_at, job_id);

CREATE INDEX job_summaries_by_namespace ON public.job_summaries USING btree (namespace_id, kind, created_at, job_id);

CREATE INDEX job_thing_groups_by_namespace ON public.job_thing_groups USING btree (thing_group, namespace_id, kind, created_at, job_id);

CREATE INDEX jobs_deleted ON public.jobs USING btree (deleted_at, job_id) WHERE (deleted_at > '-2'::integer);

CREATE INDEX namespace_executions_none ON public.namespace_executions USING btree (executions) WHERE (executions = 0);

CREATE INDEX namespace_jobs_none ON public.namespace_jobs USING btree (jobs) WHERE (jobs = 0);

CREATE INDEX thing_groups_by_id ON public.thing_groups USING btree (thing_group_id);
