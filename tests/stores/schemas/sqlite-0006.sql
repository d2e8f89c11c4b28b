PRAGMA application_id = 1785684585;
BEGIN TRANSACTION;
CREATE TABLE executions (
    job_id           TEXT    NOT NULL,
    thing_name       TEXT    NOT NULL,
    status           TEXT,              -- null: only known to have been pending
    status_at        INTEGER NOT NULL,  -- with the next three the stamp of the status
    execution_number INTEGER,           -- null: absent, greater than any
    version_number   INTEGER,           -- null: absent, greater than any
    status_rank      INTEGER NOT NULL,
    pending_at       INTEGER NOT NULL,  -- the greatest timestamp of a pending list that shows it
    has_ended        INTEGER,           -- a reading: of the status, or of a pending list that leaves it out
    ended_at         INTEGER, queued_at INTEGER NOT NULL DEFAULT -2, started_at INTEGER NOT NULL DEFAULT -2, waiting_since INTEGER,           -- a reading: null where the time of the end is unknown
    PRIMARY KEY (job_id, thing_name)
) STRICT, WITHOUT ROWID;
INSERT INTO "executions" VALUES('acme-pending','t-2','QUEUED',1700000110000,1,1,1,1700000110000,0,NULL,1700000110000,-2,1700000110000);
INSERT INTO "executions" VALUES('bulk-0','t-20','QUEUED',1700004000000,1,1,1,1700004100000,0,NULL,1700004000000,-2,1700004000000);
INSERT INTO "executions" VALUES('bulk-1','t-20','QUEUED',1700004001000,1,1,1,1700004100000,0,NULL,1700004001000,-2,1700004001000);
INSERT INTO "executions" VALUES('bulk-2','t-20','QUEUED',1700004002000,1,1,1,1700004100000,0,NULL,1700004002000,-2,1700004002000);
INSERT INTO "executions" VALUES('bulk-3','t-20','QUEUED',1700004003000,1,1,1,1700004100000,0,NULL,1700004003000,-2,1700004003000);
INSERT INTO "executions" VALUES('bulk-4','t-20','QUEUED',1700004004000,1,1,1,1700004100000,0,NULL,1700004004000,-2,1700004004000);
INSERT INTO "executions" VALUES('bulk-5','t-20','QUEUED',1700004005000,1,1,1,1700004100000,0,NULL,1700004005000,-2,1700004005000);
INSERT INTO "executions" VALUES('bulk-6','t-20','QUEUED',1700004006000,1,1,1,1700004100000,0,NULL,1700004006000,-2,1700004006000);
INSERT INTO "executions" VALUES('bulk-7','t-20','QUEUED',1700004007000,1,1,1,1700004100000,0,NULL,1700004007000,-2,1700004007000);
INSERT INTO "executions" VALUES('bulk-8','t-20','QUEUED',1700004008000,1,1,1,1700004100000,0,NULL,1700004008000,-2,1700004008000);
INSERT INTO "executions" VALUES('bulk-9','t-20','QUEUED',1700004009000,1,1,1,1700004100000,0,NULL,1700004009000,-2,1700004009000);
INSERT INTO "executions" VALUES('canceled','t-3','CANCELED',1700005200000,NULL,NULL,7,-2,1,1700005200000,-2,-2,NULL);
INSERT INTO "executions" VALUES('canceled','t-4','SUCCEEDED',1700005190000,NULL,NULL,8,-2,1,1700005190000,-2,-2,NULL);
INSERT INTO "executions" VALUES('canceling','t-5','IN_PROGRESS',1700005300000,1,2,2,-2,0,NULL,1700005290000,1700005300000,1700005300000);
INSERT INTO "executions" VALUES('completed','t-1','SUCCEEDED',1700005090000,NULL,NULL,8,1700004900000,1,1700005090000,1700004900000,-2,NULL);
INSERT INTO "executions" VALUES('completed','t-2','SUCCEEDED',1700005095000,NULL,NULL,8,-2,1,1700005095000,-2,-2,NULL);
INSERT INTO "executions" VALUES('continuous','t-1','SUCCEEDED',1700000060000,NULL,3,8,-2,1,1700000060000,-2,-2,NULL);
INSERT INTO "executions" VALUES('cut-out','t-20','QUEUED',1700003950000,1,1,1,1700003950000,0,NULL,1700003950000,-2,1700003950000);
INSERT INTO "executions" VALUES('deleting','t-1','SUCCEEDED',1700005449000,NULL,3,8,-2,1,1700005449000,-2,-2,NULL);
INSERT INTO "executions" VALUES('every-end','t-1','SUCCEEDED',1700001201000,NULL,NULL,8,-2,1,1700001201000,-2,-2,NULL);
INSERT INTO "executions" VALUES('every-end','t-2','FAILED',1700001202000,NULL,NULL,4,-2,1,1700001202000,-2,-2,NULL);
INSERT INTO "executions" VALUES('every-end','t-3','REJECTED',1700001203000,NULL,NULL,5,-2,1,1700001203000,-2,-2,NULL);
INSERT INTO "executions" VALUES('every-end','t-4','REMOVED',1700001204000,NULL,NULL,6,-2,1,1700001204000,-2,-2,NULL);
INSERT INTO "executions" VALUES('every-end','t-5','TIMED_OUT',1700001205000,NULL,NULL,3,-2,1,1700001205000,-2,-2,NULL);
INSERT INTO "executions" VALUES('every-end','t-6','CANCELED',1700001206000,NULL,NULL,7,-2,1,1700001206000,-2,-2,NULL);
INSERT INTO "executions" VALUES('execution-deleted','t-1','SUCCEEDED',1700001500000,NULL,NULL,8,-2,1,1700001500000,-2,-2,NULL);
INSERT INTO "executions" VALUES('execution-deleted','t-2','DELETED',1700001510000,NULL,NULL,9,-2,1,1700001510000,-2,-2,NULL);
INSERT INTO "executions" VALUES('gg-group','t-7','QUEUED',1700001600000,1,1,1,-2,0,NULL,1700001600000,-2,1700001600000);
INSERT INTO "executions" VALUES('gg-thing','t-8','QUEUED',1700001610000,1,1,1,-2,0,NULL,1700001610000,-2,1700001610000);
INSERT INTO "executions" VALUES('inferred','t-3','SUCCEEDED',1700001000000,NULL,3,8,1700000210000,1,1700001000000,1700000210000,-2,NULL);
INSERT INTO "executions" VALUES('inferred','t-4','FAILED',1700001010000,NULL,3,4,-2,1,1700001010000,1700000205000,1700000220000,NULL);
INSERT INTO "executions" VALUES('left-out','t-2','QUEUED',1700000120000,1,1,1,1700000120000,1,NULL,1700000120000,-2,NULL);
INSERT INTO "executions" VALUES('left-out-alone','t-9','QUEUED',1700001700000,1,1,1,1700001700000,1,NULL,1700001700000,-2,NULL);
INSERT INTO "executions" VALUES('more-to-come','t-6','SUCCEEDED',1700005550000,NULL,3,8,-2,1,1700005550000,-2,-2,NULL);
INSERT INTO "executions" VALUES('no-numbers','t-5','QUEUED',1700001300000,NULL,NULL,1,-2,0,NULL,1700001300000,-2,1700001300000);
INSERT INTO "executions" VALUES('numbers','t-5','IN_PROGRESS',1700001330000,1,7,2,-2,0,NULL,1700001310000,1700001320000,1700001320000);
INSERT INTO "executions" VALUES('reborn','t-1','QUEUED',1700007002000,1,1,1,1700007002000,0,NULL,1700007002000,-2,1700007002000);
INSERT INTO "executions" VALUES('reborn-by-execution','t-3','QUEUED',1700006500000,1,1,1,-2,0,NULL,1700006500000,-2,1700006500000);
INSERT INTO "executions" VALUES('snapshot','t-1','IN_PROGRESS',1700000040000,NULL,2,2,1700000030000,0,NULL,1700000030000,-2,1700000030000);
INSERT INTO "executions" VALUES('tried-again','t-6','QUEUED',1700001411000,2,1,1,1700001420000,0,NULL,1700001411000,-2,1700001411000);
INSERT INTO "executions" VALUES('tried-at-once','t-6','FAILED',1700001410000,NULL,NULL,4,1700001420000,1,1700001410000,1700001410000,-2,NULL);
INSERT INTO "executions" VALUES('untimed','t-30','QUEUED',-1,NULL,NULL,1,-2,0,NULL,-2,-2,NULL);
CREATE TABLE job_changes (
    job_id             TEXT    NOT NULL,
    changed_at         INTEGER NOT NULL,  -- when the batch arrived
    status             INTEGER,           -- the kind of the status, as in job_summaries; null: no longer listed
    former_status      INTEGER,           -- null: not listed before
    namespace_id       TEXT,
    is_status_reported INTEGER NOT NULL,
    PRIMARY KEY (job_id, changed_at)
) STRICT, WITHOUT ROWID;
INSERT INTO "job_changes" VALUES('acme-pending',1700001100000,3,NULL,'acme',0);
INSERT INTO "job_changes" VALUES('bulk-0',1700005600000,3,NULL,'globex',0);
INSERT INTO "job_changes" VALUES('bulk-1',1700005600000,3,NULL,'globex',0);
INSERT INTO "job_changes" VALUES('bulk-2',1700005600000,3,NULL,'globex',0);
INSERT INTO "job_changes" VALUES('bulk-3',1700005600000,3,NULL,'globex',0);
INSERT INTO "job_changes" VALUES('bulk-4',1700005600000,3,NULL,'globex',0);
INSERT INTO "job_changes" VALUES('bulk-5',1700005600000,3,NULL,'globex',0);
INSERT INTO "job_changes" VALUES('bulk-6',1700005600000,3,NULL,'globex',0);
INSERT INTO "job_changes" VALUES('bulk-7',1700005600000,3,NULL,'globex',0);
INSERT INTO "job_changes" VALUES('bulk-8',1700005600000,3,NULL,'globex',0);
INSERT INTO "job_changes" VALUES('bulk-9',1700005600000,3,NULL,'globex',0);
INSERT INTO "job_changes" VALUES('canceled',1700005600000,9,NULL,NULL,1);
INSERT INTO "job_changes" VALUES('canceling',1700005600000,9,NULL,NULL,1);
INSERT INTO "job_changes" VALUES('completed',1700005600000,6,NULL,NULL,1);
INSERT INTO "job_changes" VALUES('continuous',1700001100000,3,NULL,'acme',0);
INSERT INTO "job_changes" VALUES('cut-out',1700005600000,3,NULL,'globex',1);
INSERT INTO "job_changes" VALUES('deleting',1700005600000,12,NULL,'acme',1);
INSERT INTO "job_changes" VALUES('every-end',1700002100000,6,NULL,NULL,0);
INSERT INTO "job_changes" VALUES('execution-deleted',1700002100000,6,NULL,NULL,0);
INSERT INTO "job_changes" VALUES('gg-group',1700002100000,3,NULL,'aws-gg-deployment',0);
INSERT INTO "job_changes" VALUES('gg-thing',1700002100000,3,NULL,'aws-gg-deployment',0);
INSERT INTO "job_changes" VALUES('group-by-id',1700001100000,3,NULL,'globex',1);
INSERT INTO "job_changes" VALUES('inferred',1700001100000,3,NULL,'acme',0);
INSERT INTO "job_changes" VALUES('inferred',1700002100000,6,3,'acme',0);
INSERT INTO "job_changes" VALUES('left-out',1700001100000,3,NULL,'globex',1);
INSERT INTO "job_changes" VALUES('left-out-alone',1700002100000,6,NULL,'globex',0);
INSERT INTO "job_changes" VALUES('more-to-come',1700005600000,6,NULL,'acme',0);
INSERT INTO "job_changes" VALUES('no-numbers',1700002100000,3,NULL,NULL,0);
INSERT INTO "job_changes" VALUES('numbers',1700002100000,3,NULL,NULL,0);
INSERT INTO "job_changes" VALUES('one-group',1700001100000,3,NULL,'acme',1);
INSERT INTO "job_changes" VALUES('reborn',1700007200000,3,NULL,'globex',1);
INSERT INTO "job_changes" VALUES('reborn-by-execution',1700007200000,3,NULL,NULL,0);
INSERT INTO "job_changes" VALUES('scheduled',1700001100000,0,NULL,'acme',1);
INSERT INTO "job_changes" VALUES('several-groups',1700001100000,3,NULL,'globex',1);
INSERT INTO "job_changes" VALUES('snapshot',1700001100000,3,NULL,'acme',1);
INSERT INTO "job_changes" VALUES('tried-again',1700002100000,3,NULL,NULL,0);
INSERT INTO "job_changes" VALUES('tried-at-once',1700002100000,6,NULL,NULL,0);
INSERT INTO "job_changes" VALUES('untimed',1700003100000,3,NULL,NULL,0);
INSERT INTO "job_changes" VALUES('untimed-job',1700003100000,3,NULL,'acme',1);
CREATE TABLE job_summaries (
    created_at   INTEGER NOT NULL,
    job_id       TEXT    NOT NULL,
    kind         INTEGER NOT NULL,
    namespace_id TEXT,
    listed       TEXT    NOT NULL,
    told_groups  TEXT,
    changed_at   INTEGER,  -- when the row last changed, where no message of the job bears a time
    PRIMARY KEY (created_at, job_id)
) STRICT, WITHOUT ROWID;
INSERT INTO "job_summaries" VALUES(1700000010000,'scheduled',2,'acme','{"jobArn":"arn:aws:iot:eu-central-1:123456789012:job/scheduled","jobId":"scheduled","status":"SCHEDULED","targetSelection":"SNAPSHOT","createdAt":1700000010.0,"lastUpdatedAt":1700000010.0}',NULL,NULL);
INSERT INTO "job_summaries" VALUES(1700000020000,'snapshot',5,'acme','{"jobArn":"arn:aws:iot:eu-central-1:123456789012:job/snapshot","jobId":"snapshot","status":"IN_PROGRESS","isConcurrent":false,"targetSelection":"SNAPSHOT","createdAt":1700000020.0,"lastUpdatedAt":1700000040.0}',NULL,NULL);
INSERT INTO "job_summaries" VALUES(1700000050000,'continuous',4,'acme','{"jobArn":"arn:aws:iot:eu-central-1:123456789012:job/continuous","jobId":"continuous","status":"IN_PROGRESS","isConcurrent":true,"targetSelection":"CONTINUOUS","thingGroupId":"f1000000-aaaa-4bbb-8ccc-000000000001","createdAt":1700000050.0,"lastUpdatedAt":1700000060.0}','"name:floor-1","id:f1000000-aaaa-4bbb-8ccc-000000000001"',NULL);
INSERT INTO "job_summaries" VALUES(1700000070000,'group-by-id',3,'globex','{"jobArn":"arn:aws:iot:eu-central-1:123456789012:job/group-by-id","jobId":"group-by-id","status":"IN_PROGRESS","thingGroupId":"1ab00000-aaaa-4bbb-8ccc-000000000002","createdAt":1700000070.0,"lastUpdatedAt":1700000070.0}','"id:1ab00000-aaaa-4bbb-8ccc-000000000002"',NULL);
INSERT INTO "job_summaries" VALUES(1700000080000,'one-group',5,'acme','{"jobArn":"arn:aws:iot:eu-central-1:123456789012:job/one-group","jobId":"one-group","status":"IN_PROGRESS","targetSelection":"SNAPSHOT"%(floor-1)b,"createdAt":1700000080.0,"lastUpdatedAt":1700000080.0}','"name:floor-1"',NULL);
INSERT INTO "job_summaries" VALUES(1700000090000,'several-groups',5,'globex','{"jobArn":"arn:aws:iot:eu-central-1:123456789012:job/several-groups","jobId":"several-groups","status":"IN_PROGRESS","targetSelection":"SNAPSHOT","createdAt":1700000090.0,"lastUpdatedAt":1700000090.0}','"name:a:b", "name:floor-1", "name:lab"',NULL);
INSERT INTO "job_summaries" VALUES(1700000099000,'acme-pending',5,'acme','{"jobArn":"arn:aws:iot:eu-central-1:123456789012:job/acme-pending","jobId":"acme-pending","status":"IN_PROGRESS","targetSelection":"SNAPSHOT","createdAt":1700000099.0,"lastUpdatedAt":1700000110.0}',NULL,NULL);
INSERT INTO "job_summaries" VALUES(1700000099000,'left-out',3,'globex','{"jobArn":"arn:aws:iot:eu-central-1:123456789012:job/left-out","jobId":"left-out","status":"IN_PROGRESS","createdAt":1700000099.0,"lastUpdatedAt":1700000120.0}',NULL,NULL);
INSERT INTO "job_summaries" VALUES(1700000200000,'inferred',8,'acme','{"jobArn":"arn:aws:iot:eu-central-1:123456789012:job/inferred","jobId":"inferred","status":"COMPLETED","targetSelection":"SNAPSHOT","createdAt":1700000200.0,"completedAt":1700001010.0,"lastUpdatedAt":1700001010.0}',NULL,NULL);
INSERT INTO "job_summaries" VALUES(1700001201000,'every-end',6,NULL,'{"jobArn":"%()bevery-end","jobId":"every-end","status":"COMPLETED","createdAt":1700001201.0,"completedAt":1700001206.0,"lastUpdatedAt":1700001206.0}',NULL,NULL);
INSERT INTO "job_summaries" VALUES(1700001300000,'no-numbers',3,NULL,'{"jobArn":"%()bno-numbers","jobId":"no-numbers","status":"IN_PROGRESS","createdAt":1700001300.0,"lastUpdatedAt":1700001300.0}',NULL,NULL);
INSERT INTO "job_summaries" VALUES(1700001310000,'numbers',3,NULL,'{"jobArn":"%()bnumbers","jobId":"numbers","status":"IN_PROGRESS","createdAt":1700001310.0,"lastUpdatedAt":1700001330.0}',NULL,NULL);
INSERT INTO "job_summaries" VALUES(1700001400000,'tried-again',3,NULL,'{"jobArn":"%()btried-again","jobId":"tried-again","status":"IN_PROGRESS","createdAt":1700001400.0,"lastUpdatedAt":1700001411.0}',NULL,NULL);
INSERT INTO "job_summaries" VALUES(1700001400000,'tried-at-once',6,NULL,'{"jobArn":"%()btried-at-once","jobId":"tried-at-once","status":"COMPLETED","createdAt":1700001400.0,"completedAt":1700001410.0,"lastUpdatedAt":1700001410.0}',NULL,NULL);
INSERT INTO "job_summaries" VALUES(1700001500000,'execution-deleted',6,NULL,'{"jobArn":"%()bexecution-deleted","jobId":"execution-deleted","status":"COMPLETED","createdAt":1700001500.0,"completedAt":1700001510.0,"lastUpdatedAt":1700001510.0}',NULL,NULL);
INSERT INTO "job_summaries" VALUES(1700001600000,'gg-group',3,'aws-gg-deployment','{"jobArn":"%()bgg-group","jobId":"gg-group","status":"IN_PROGRESS"%(lab)b,"createdAt":1700001600.0,"lastUpdatedAt":1700001600.0}','"name:lab"',NULL);
INSERT INTO "job_summaries" VALUES(1700001610000,'gg-thing',3,'aws-gg-deployment','{"jobArn":"%()bgg-thing","jobId":"gg-thing","status":"IN_PROGRESS","createdAt":1700001610.0,"lastUpdatedAt":1700001610.0}',NULL,NULL);
INSERT INTO "job_summaries" VALUES(1700001700000,'left-out-alone',6,'globex','{"jobArn":"%()bleft-out-alone","jobId":"left-out-alone","status":"COMPLETED","createdAt":1700001700.0,"lastUpdatedAt":1700001700.0}',NULL,NULL);
INSERT INTO "job_summaries" VALUES(1700003100000,'untimed',3,NULL,'{"jobArn":"%()buntimed","jobId":"untimed","status":"IN_PROGRESS","createdAt":1700003100.0,"lastUpdatedAt":1700003100.0}',NULL,1700003100000);
INSERT INTO "job_summaries" VALUES(1700003100000,'untimed-job',3,'acme','{"jobArn":"%()buntimed-job","jobId":"untimed-job","status":"IN_PROGRESS","createdAt":1700003100.0,"lastUpdatedAt":1700003100.0}',NULL,1700003100000);
INSERT INTO "job_summaries" VALUES(1700003900000,'cut-out',3,'globex','{"jobArn":"arn:aws:iot:eu-central-1:123456789012:job/cut-out","jobId":"cut-out","status":"IN_PROGRESS","createdAt":1700003900.0,"lastUpdatedAt":1700003950.0}',NULL,NULL);
INSERT INTO "job_summaries" VALUES(1700004000000,'bulk-0',3,'globex','{"jobArn":"%()bbulk-0","jobId":"bulk-0","status":"IN_PROGRESS","createdAt":1700004000.0,"lastUpdatedAt":1700004000.0}',NULL,NULL);
INSERT INTO "job_summaries" VALUES(1700004001000,'bulk-1',3,'globex','{"jobArn":"%()bbulk-1","jobId":"bulk-1","status":"IN_PROGRESS","createdAt":1700004001.0,"lastUpdatedAt":1700004001.0}',NULL,NULL);
INSERT INTO "job_summaries" VALUES(1700004002000,'bulk-2',3,'globex','{"jobArn":"%()bbulk-2","jobId":"bulk-2","status":"IN_PROGRESS","createdAt":1700004002.0,"lastUpdatedAt":1700004002.0}',NULL,NULL);
INSERT INTO "job_summaries" VALUES(1700004003000,'bulk-3',3,'globex','{"jobArn":"%()bbulk-3","jobId":"bulk-3","status":"IN_PROGRESS","createdAt":1700004003.0,"lastUpdatedAt":1700004003.0}',NULL,NULL);
INSERT INTO "job_summaries" VALUES(1700004004000,'bulk-4',3,'globex','{"jobArn":"%()bbulk-4","jobId":"bulk-4","status":"IN_PROGRESS","createdAt":1700004004.0,"lastUpdatedAt":1700004004.0}',NULL,NULL);
INSERT INTO "job_summaries" VALUES(1700004005000,'bulk-5',3,'globex','{"jobArn":"%()bbulk-5","jobId":"bulk-5","status":"IN_PROGRESS","createdAt":1700004005.0,"lastUpdatedAt":1700004005.0}',NULL,NULL);
INSERT INTO "job_summaries" VALUES(1700004006000,'bulk-6',3,'globex','{"jobArn":"%()bbulk-6","jobId":"bulk-6","status":"IN_PROGRESS","createdAt":1700004006.0,"lastUpdatedAt":1700004006.0}',NULL,NULL);
INSERT INTO "job_summaries" VALUES(1700004007000,'bulk-7',3,'globex','{"jobArn":"%()bbulk-7","jobId":"bulk-7","status":"IN_PROGRESS","createdAt":1700004007.0,"lastUpdatedAt":1700004007.0}',NULL,NULL);
INSERT INTO "job_summaries" VALUES(1700004008000,'bulk-8',3,'globex','{"jobArn":"%()bbulk-8","jobId":"bulk-8","status":"IN_PROGRESS","createdAt":1700004008.0,"lastUpdatedAt":1700004008.0}',NULL,NULL);
INSERT INTO "job_summaries" VALUES(1700004009000,'bulk-9',3,'globex','{"jobArn":"%()bbulk-9","jobId":"bulk-9","status":"IN_PROGRESS","createdAt":1700004009.0,"lastUpdatedAt":1700004009.0}',NULL,NULL);
INSERT INTO "job_summaries" VALUES(1700004800125,'completed',8,NULL,'{"jobArn":"%()bcompleted","jobId":"completed","status":"COMPLETED","targetSelection":"SNAPSHOT","createdAt":1700004800.125,"completedAt":1700005099.5,"lastUpdatedAt":1700005099.5}',NULL,NULL);
INSERT INTO "job_summaries" VALUES(1700005110250,'canceled',9,NULL,'{"jobArn":"%()bcanceled","jobId":"canceled","status":"CANCELED","createdAt":1700005110.25,"lastUpdatedAt":1700005200.75}',NULL,NULL);
INSERT INTO "job_summaries" VALUES(1700005280500,'canceling',9,NULL,'{"jobArn":"%()bcanceling","jobId":"canceling","status":"CANCELED","createdAt":1700005280.5,"lastUpdatedAt":1700005309.5}',NULL,NULL);
INSERT INTO "job_summaries" VALUES(1700005400000,'deleting',12,'acme','{"jobArn":"arn:aws:iot:eu-central-1:123456789012:job/deleting","jobId":"deleting","status":"DELETION_IN_PROGRESS","createdAt":1700005400.0,"completedAt":1700005450.0,"lastUpdatedAt":1700005499.5}',NULL,NULL);
INSERT INTO "job_summaries" VALUES(1700005510000,'more-to-come',8,'acme','{"jobArn":"arn:aws:iot:eu-central-1:123456789012:job/more-to-come","jobId":"more-to-come","status":"COMPLETED","targetSelection":"SNAPSHOT","createdAt":1700005510.0,"completedAt":1700005550.0,"lastUpdatedAt":1700005550.0}',NULL,NULL);
INSERT INTO "job_summaries" VALUES(1700006020000,'reborn-by-execution',3,NULL,'{"jobArn":"%()breborn-by-execution","jobId":"reborn-by-execution","status":"IN_PROGRESS","createdAt":1700006020.0,"lastUpdatedAt":1700006500.0}',NULL,NULL);
INSERT INTO "job_summaries" VALUES(1700007000000,'reborn',5,'globex','{"jobArn":"arn:aws:iot:eu-central-1:123456789012:job/reborn","jobId":"reborn","status":"IN_PROGRESS","targetSelection":"SNAPSHOT","createdAt":1700007000.0,"lastUpdatedAt":1700007002.0}',NULL,NULL);
CREATE TABLE job_thing_groups (
    thing_group  TEXT    NOT NULL,
    kind         INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    job_id       TEXT    NOT NULL,
    namespace_id TEXT    NOT NULL,  -- '' where the job has none
    PRIMARY KEY (thing_group, kind, created_at, job_id)
) STRICT, WITHOUT ROWID;
INSERT INTO "job_thing_groups" VALUES('both:floor-1/f1000000-aaaa-4bbb-8ccc-000000000001',4,1700000050000,'continuous','acme');
INSERT INTO "job_thing_groups" VALUES('id:1ab00000-aaaa-4bbb-8ccc-000000000002',3,1700000070000,'group-by-id','globex');
INSERT INTO "job_thing_groups" VALUES('id:f1000000-aaaa-4bbb-8ccc-000000000001',4,1700000050000,'continuous','acme');
INSERT INTO "job_thing_groups" VALUES('name:a:b',5,1700000090000,'several-groups','globex');
INSERT INTO "job_thing_groups" VALUES('name:floor-1',4,1700000050000,'continuous','acme');
INSERT INTO "job_thing_groups" VALUES('name:floor-1',5,1700000080000,'one-group','acme');
INSERT INTO "job_thing_groups" VALUES('name:floor-1',5,1700000090000,'several-groups','globex');
INSERT INTO "job_thing_groups" VALUES('name:lab',3,1700001600000,'gg-group','aws-gg-deployment');
INSERT INTO "job_thing_groups" VALUES('name:lab',5,1700000090000,'several-groups','globex');
INSERT INTO "job_thing_groups" VALUES('names:a:b/floor-1',5,1700000090000,'several-groups','globex');
INSERT INTO "job_thing_groups" VALUES('names:a:b/lab',5,1700000090000,'several-groups','globex');
INSERT INTO "job_thing_groups" VALUES('names:floor-1/lab',5,1700000090000,'several-groups','globex');
CREATE TABLE jobs (
    job_id                   TEXT    NOT NULL PRIMARY KEY,
    namespace_id             TEXT,
    namespace_id_stamp       INTEGER NOT NULL,
    status                   TEXT,
    status_stamp             INTEGER NOT NULL,
    target_selection         TEXT,
    target_selection_stamp   INTEGER NOT NULL,
    thing_group_id           TEXT,
    thing_group_id_stamp     INTEGER NOT NULL,
    thing_group_name         TEXT,
    thing_group_name_stamp   INTEGER NOT NULL,
    target_group_names       TEXT,              -- JSON, sorted, each name as in job_thing_groups
    target_group_names_stamp INTEGER NOT NULL,
    is_concurrent            INTEGER,
    is_concurrent_stamp      INTEGER NOT NULL,
    created_at               INTEGER,
    created_at_stamp         INTEGER NOT NULL,
    completed_at             INTEGER,
    completed_at_stamp       INTEGER NOT NULL,
    job_arn                  TEXT,
    job_arn_stamp            INTEGER NOT NULL,
    earliest_at              INTEGER,           -- the least queuedAt or time told
    latest_at                INTEGER,           -- the greatest time told
    born_at                  INTEGER NOT NULL,  -- the greatest createdAt or queuedAt told
    deleted_at               INTEGER NOT NULL,  -- the greatest time of a deletion
    arrived_at               INTEGER NOT NULL   -- when its first message was applied
, told_since INTEGER NOT NULL DEFAULT -2, listed_created_at INTEGER) STRICT;
INSERT INTO "jobs" VALUES('scheduled','acme',13600000080001,'SCHEDULED',13600000080001,'SNAPSHOT',13600000080001,NULL,-16,NULL,-16,NULL,-16,NULL,-16,1700000010000,13600000080001,NULL,-16,'arn:aws:iot:eu-central-1:123456789012:job/scheduled',13600000080001,1700000010000,1700000010000,1700000010000,-2,1700001100000,1668464100000,1700000010000);
INSERT INTO "jobs" VALUES('snapshot','acme',13600000320000,'IN_PROGRESS',13600000200002,'SNAPSHOT',13600000200002,NULL,-16,NULL,-16,'[]',13600000200002,0,13600000200002,1700000020000,13600000200002,NULL,-16,'arn:aws:iot:eu-central-1:123456789012:job/snapshot',13600000200002,1700000020000,1700000040000,1700000030000,-2,1700001100000,1668464100000,1700000020000);
INSERT INTO "jobs" VALUES('continuous','acme',13600000480000,NULL,-16,'CONTINUOUS',13600000400000,'f1000000-aaaa-4bbb-8ccc-000000000001',13600000400000,'floor-1',13600000400000,NULL,-16,1,13600000400000,1700000050000,13600000400000,NULL,-16,'arn:aws:iot:eu-central-1:123456789012:job/continuous',13600000400000,1700000050000,1700000060000,1700000050000,-2,1700001100000,1668464100000,1700000050000);
INSERT INTO "jobs" VALUES('group-by-id','globex',13600000560002,'IN_PROGRESS',13600000560002,NULL,-16,'1ab00000-aaaa-4bbb-8ccc-000000000002',13600000560002,NULL,-16,NULL,-16,NULL,-16,1700000070000,13600000560002,NULL,-16,'arn:aws:iot:eu-central-1:123456789012:job/group-by-id',13600000560002,1700000070000,1700000070000,1700000070000,-2,1700001100000,1668464100000,1700000070000);
INSERT INTO "jobs" VALUES('one-group','acme',13600000640002,'IN_PROGRESS',13600000640002,'SNAPSHOT',13600000640002,NULL,-16,NULL,-16,'["name:floor-1"]',13600000640002,NULL,-16,1700000080000,13600000640002,NULL,-16,'arn:aws:iot:eu-central-1:123456789012:job/one-group',13600000640002,1700000080000,1700000080000,1700000080000,-2,1700001100000,1668464100000,1700000080000);
INSERT INTO "jobs" VALUES('several-groups','globex',13600000720002,'IN_PROGRESS',13600000720002,'SNAPSHOT',13600000720002,NULL,-16,NULL,-16,'["name:a:b", "name:floor-1", "name:lab"]',13600000720002,NULL,-16,1700000090000,13600000720002,NULL,-16,'arn:aws:iot:eu-central-1:123456789012:job/several-groups',13600000720002,1700000090000,1700000090000,1700000090000,-2,1700001100000,1668464100000,1700000090000);
INSERT INTO "jobs" VALUES('acme-pending','acme',13600000880000,NULL,-16,'SNAPSHOT',13600000792000,NULL,-16,NULL,-16,NULL,-16,NULL,-16,1700000099000,13600000792000,NULL,-16,'arn:aws:iot:eu-central-1:123456789012:job/acme-pending',13600000792000,1700000099000,1700000110000,1700000110000,-2,1700001100000,1668464100000,1700000099000);
INSERT INTO "jobs" VALUES('inferred','acme',13600008080000,NULL,-16,'SNAPSHOT',13600001600000,NULL,-16,NULL,-16,NULL,-16,NULL,-16,1700000200000,13600001600000,NULL,-16,'arn:aws:iot:eu-central-1:123456789012:job/inferred',13600001600000,1700000200000,1700001010000,1700000210000,-2,1700001100000,1668464100000,1700000200000);
INSERT INTO "jobs" VALUES('left-out','globex',13600000960000,'IN_PROGRESS',13600000792002,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,1700000099000,13600000792002,NULL,-16,'arn:aws:iot:eu-central-1:123456789012:job/left-out',13600000792002,1700000099000,1700000120000,1700000120000,-2,1700001100000,1668464100000,1700000099000);
INSERT INTO "jobs" VALUES('gg-thing','aws-gg-deployment',13600012880000,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,1700001610000,1700001610000,1700001610000,-2,1700002100000,1668464100000,1700001610000);
INSERT INTO "jobs" VALUES('left-out-alone','globex',13600013600000,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,1700001700000,1700001700000,1700001700000,-2,1700002100000,1668464100000,1700001700000);
INSERT INTO "jobs" VALUES('every-end',NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,1700001201000,1700001206000,-2,-2,1700002100000,1668464100000,1700001201000);
INSERT INTO "jobs" VALUES('no-numbers',NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,1700001300000,1700001300000,1700001300000,-2,1700002100000,1668464100000,1700001300000);
INSERT INTO "jobs" VALUES('numbers',NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,1700001310000,1700001330000,1700001310000,-2,1700002100000,1668464100000,1700001310000);
INSERT INTO "jobs" VALUES('tried-again',NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,1700001400000,1700001411000,1700001411000,-2,1700002100000,1668464100000,1700001400000);
INSERT INTO "jobs" VALUES('tried-at-once',NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,1700001400000,1700001410000,1700001410000,-2,1700002100000,1668464100000,1700001400000);
INSERT INTO "jobs" VALUES('execution-deleted',NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,1700001500000,1700001510000,-2,-2,1700002100000,1668464100000,1700001500000);
INSERT INTO "jobs" VALUES('gg-group','aws-gg-deployment',13600012800000,NULL,-16,NULL,-16,NULL,-16,'lab',13600012800000,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,1700001600000,1700001600000,1700001600000,-2,1700002100000,1668464100000,1700001600000);
INSERT INTO "jobs" VALUES('untimed',NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,NULL,-2,-2,1700003100000,1668464100000,1700003100000);
INSERT INTO "jobs" VALUES('untimed-deleted',NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,NULL,-2,-1,1700003100000,1668464100000,NULL);
INSERT INTO "jobs" VALUES('untimed-job','acme',-6,'IN_PROGRESS',-6,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,NULL,-2,-2,1700003100000,1668464100000,1700003100000);
INSERT INTO "jobs" VALUES('cut-out','globex',13600031600000,'IN_PROGRESS',13600031200002,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,1700003900000,13600031200002,NULL,-16,'arn:aws:iot:eu-central-1:123456789012:job/cut-out',13600031200002,1700003900000,1700003950000,1700003950000,-2,1700005600000,1668464100000,1700003900000);
INSERT INTO "jobs" VALUES('bulk-0','globex',13600032000000,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,1700004000000,1700004000000,1700004000000,-2,1700005600000,1668464100000,1700004000000);
INSERT INTO "jobs" VALUES('bulk-1','globex',13600032008000,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,1700004001000,1700004001000,1700004001000,-2,1700005600000,1668464100000,1700004001000);
INSERT INTO "jobs" VALUES('bulk-2','globex',13600032016000,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,1700004002000,1700004002000,1700004002000,-2,1700005600000,1668464100000,1700004002000);
INSERT INTO "jobs" VALUES('bulk-3','globex',13600032024000,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,1700004003000,1700004003000,1700004003000,-2,1700005600000,1668464100000,1700004003000);
INSERT INTO "jobs" VALUES('bulk-4','globex',13600032032000,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,1700004004000,1700004004000,1700004004000,-2,1700005600000,1668464100000,1700004004000);
INSERT INTO "jobs" VALUES('bulk-5','globex',13600032040000,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,1700004005000,1700004005000,1700004005000,-2,1700005600000,1668464100000,1700004005000);
INSERT INTO "jobs" VALUES('bulk-6','globex',13600032048000,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,1700004006000,1700004006000,1700004006000,-2,1700005600000,1668464100000,1700004006000);
INSERT INTO "jobs" VALUES('bulk-7','globex',13600032056000,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,1700004007000,1700004007000,1700004007000,-2,1700005600000,1668464100000,1700004007000);
INSERT INTO "jobs" VALUES('bulk-8','globex',13600032064000,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,1700004008000,1700004008000,1700004008000,-2,1700005600000,1668464100000,1700004008000);
INSERT INTO "jobs" VALUES('bulk-9','globex',13600032072000,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,1700004009000,1700004009000,1700004009000,-2,1700005600000,1668464100000,1700004009000);
INSERT INTO "jobs" VALUES('completed',NULL,-16,'COMPLETED',13600040796003,'SNAPSHOT',13600040796003,NULL,-16,NULL,-16,'[]',13600040796003,NULL,-16,1700004800125,13600040796003,1700005099500,13600040796003,NULL,-16,1700004800125,1700005099500,1700004900000,-2,1700005600000,1668464100000,1700004800125);
INSERT INTO "jobs" VALUES('canceled',NULL,-16,'CANCELED',13600041606004,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,1700005110250,13600041606004,NULL,-16,NULL,-16,1700005110250,1700005200750,1700005110250,-2,1700005600000,1668464100000,1700005110250);
INSERT INTO "jobs" VALUES('canceling',NULL,-16,'CANCELED',13600042476004,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,1700005280500,13600042476004,NULL,-16,NULL,-16,1700005280500,1700005309500,1700005290000,-2,1700005600000,1668464100000,1700005280500);
INSERT INTO "jobs" VALUES('deleting','acme',13600043600003,'DELETION_IN_PROGRESS',13600043996005,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,1700005400000,13600043996005,1700005450000,13600043600003,'arn:aws:iot:eu-central-1:123456789012:job/deleting',13600043600003,1700005400000,1700005499500,1700005400000,-2,1700005600000,1668464100000,1700005400000);
INSERT INTO "jobs" VALUES('more-to-come','acme',13600044400000,NULL,-16,'SNAPSHOT',13600044080000,NULL,-16,NULL,-16,NULL,-16,NULL,-16,1700005510000,13600044080000,NULL,-16,'arn:aws:iot:eu-central-1:123456789012:job/more-to-come',13600044080000,1700005510000,1700005550000,1700005510000,-2,1700005600000,1668464100000,1700005510000);
INSERT INTO "jobs" VALUES('deleted','acme',13600046400003,'COMPLETED',13600046400003,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,1700005700000,13600046400003,1700005800000,13600046400003,'arn:aws:iot:eu-central-1:123456789012:job/deleted',13600046400003,1700005700000,1700005800000,1700005700000,1700006000000,1700006200000,1668464100000,NULL);
INSERT INTO "jobs" VALUES('reborn','globex',13600056016000,'IN_PROGRESS',13600056008002,'SNAPSHOT',13600056008002,NULL,-16,NULL,-16,'[]',13600056008002,NULL,-16,1700007000000,13600056008002,NULL,-16,'arn:aws:iot:eu-central-1:123456789012:job/reborn',13600056008002,1700005710000,1700007002000,1700007002000,1700006010000,1700006200000,1668464100000,1700007000000);
INSERT INTO "jobs" VALUES('reborn-by-execution','acme',13600046560004,'CANCELED',13600046560004,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,1700005720000,13600046560004,NULL,-16,'arn:aws:iot:eu-central-1:123456789012:job/reborn-by-execution',13600046560004,1700005720000,1700006500000,1700006500000,1700006020000,1700006200000,1668464100000,1700006020000);
INSERT INTO "jobs" VALUES('reborn-at-once','globex',13600048328002,'IN_PROGRESS',13600048328002,NULL,-16,NULL,-16,NULL,-16,NULL,-16,NULL,-16,1700006039000,13600048328002,NULL,-16,'arn:aws:iot:eu-central-1:123456789012:job/reborn-at-once',13600048328002,1700005730000,1700006041000,1700006039000,1700006040000,1700006200000,1668464100000,NULL);
CREATE TABLE migrations (
    number     INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL,
    applied_at TEXT    NOT NULL DEFAULT CURRENT_TIMESTAMP
) STRICT;
INSERT INTO "migrations" VALUES(1,'index','2026-11-24 00:00:00');
INSERT INTO "migrations" VALUES(2,'session','2026-11-24 00:00:00');
INSERT INTO "migrations" VALUES(3,'retention','2026-11-24 00:00:00');
INSERT INTO "migrations" VALUES(4,'pages','2026-11-24 00:00:00');
INSERT INTO "migrations" VALUES(5,'slim','2026-11-24 00:00:00');
INSERT INTO "migrations" VALUES(6,'watching','2026-11-24 00:00:00');
CREATE TABLE namespace_activity (
    namespace_id TEXT    NOT NULL,
    slot         INTEGER NOT NULL,  -- the hour since the epoch, modulo 24
    hour         INTEGER NOT NULL,
    changes      INTEGER NOT NULL,
    changed_at   INTEGER NOT NULL,
    PRIMARY KEY (namespace_id, slot)
) STRICT, WITHOUT ROWID;
INSERT INTO "namespace_activity" VALUES('',0,472224,1,1700007200000);
INSERT INTO "namespace_activity" VALUES('',22,472222,6,1700002100000);
INSERT INTO "namespace_activity" VALUES('',23,472223,4,1700005600000);
INSERT INTO "namespace_activity" VALUES('acme',22,472222,7,1700002100000);
INSERT INTO "namespace_activity" VALUES('acme',23,472223,3,1700005600000);
INSERT INTO "namespace_activity" VALUES('aws-gg-deployment',22,472222,2,1700002100000);
INSERT INTO "namespace_activity" VALUES('globex',0,472224,1,1700007200000);
INSERT INTO "namespace_activity" VALUES('globex',22,472222,4,1700002100000);
INSERT INTO "namespace_activity" VALUES('globex',23,472223,11,1700005600000);
CREATE TABLE namespace_executions (
    namespace_id TEXT    NOT NULL,
    state        TEXT    NOT NULL,  -- the status, or ENDED where only a pending list told the end
    executions   INTEGER NOT NULL,
    PRIMARY KEY (namespace_id, state)
) STRICT, WITHOUT ROWID;
INSERT INTO "namespace_executions" VALUES('','CANCELED',2);
INSERT INTO "namespace_executions" VALUES('','FAILED',2);
INSERT INTO "namespace_executions" VALUES('','IN_PROGRESS',2);
INSERT INTO "namespace_executions" VALUES('','QUEUED',4);
INSERT INTO "namespace_executions" VALUES('','REJECTED',1);
INSERT INTO "namespace_executions" VALUES('','REMOVED',1);
INSERT INTO "namespace_executions" VALUES('','SUCCEEDED',5);
INSERT INTO "namespace_executions" VALUES('','TIMED_OUT',1);
INSERT INTO "namespace_executions" VALUES('acme','FAILED',1);
INSERT INTO "namespace_executions" VALUES('acme','IN_PROGRESS',1);
INSERT INTO "namespace_executions" VALUES('acme','QUEUED',1);
INSERT INTO "namespace_executions" VALUES('acme','SUCCEEDED',4);
INSERT INTO "namespace_executions" VALUES('aws-gg-deployment','QUEUED',2);
INSERT INTO "namespace_executions" VALUES('globex','ENDED',2);
INSERT INTO "namespace_executions" VALUES('globex','QUEUED',12);
CREATE TABLE namespace_jobs (
    namespace_id TEXT    NOT NULL,
    kind         INTEGER NOT NULL,  -- as in job_summaries
    jobs         INTEGER NOT NULL,
    PRIMARY KEY (namespace_id, kind)
) STRICT, WITHOUT ROWID;
INSERT INTO "namespace_jobs" VALUES('',3,5);
INSERT INTO "namespace_jobs" VALUES('',6,3);
INSERT INTO "namespace_jobs" VALUES('',8,1);
INSERT INTO "namespace_jobs" VALUES('',9,2);
INSERT INTO "namespace_jobs" VALUES('acme',2,1);
INSERT INTO "namespace_jobs" VALUES('acme',3,1);
INSERT INTO "namespace_jobs" VALUES('acme',4,1);
INSERT INTO "namespace_jobs" VALUES('acme',5,3);
INSERT INTO "namespace_jobs" VALUES('acme',8,2);
INSERT INTO "namespace_jobs" VALUES('acme',12,1);
INSERT INTO "namespace_jobs" VALUES('aws-gg-deployment',3,2);
INSERT INTO "namespace_jobs" VALUES('globex',3,13);
INSERT INTO "namespace_jobs" VALUES('globex',5,2);
INSERT INTO "namespace_jobs" VALUES('globex',6,1);
CREATE TABLE pending_lists (
    thing_name   TEXT    NOT NULL,
    namespace_id TEXT    NOT NULL,  -- '' is the list of jobs without a namespace
    listed_at    INTEGER NOT NULL,
    PRIMARY KEY (thing_name, namespace_id)
) STRICT, WITHOUT ROWID;
INSERT INTO "pending_lists" VALUES('t-1','',1700004900000);
INSERT INTO "pending_lists" VALUES('t-1','acme',1700000030000);
INSERT INTO "pending_lists" VALUES('t-1','globex',1700007002000);
INSERT INTO "pending_lists" VALUES('t-2','acme',1700000110000);
INSERT INTO "pending_lists" VALUES('t-2','globex',1700002000000);
INSERT INTO "pending_lists" VALUES('t-20','globex',1700003950000);
INSERT INTO "pending_lists" VALUES('t-3','acme',1700000210000);
INSERT INTO "pending_lists" VALUES('t-6','',1700001420000);
INSERT INTO "pending_lists" VALUES('t-9','globex',1700001800000);
CREATE TABLE rejected_messages (
    rejected_message_id INTEGER PRIMARY KEY,
    digest              BLOB    NOT NULL UNIQUE,  -- of topic and payload: a repeated message is one row
    rejected_at         INTEGER NOT NULL,
    topic               TEXT    NOT NULL,
    payload             BLOB    NOT NULL,
    reason              TEXT    NOT NULL
) STRICT;
INSERT INTO "rejected_messages" VALUES(1,X'EEBACA8C555102E828CE6736A0C6C09F191F812481E6F6B1757A7B7361608D09',1700003100000,'$aws/things/t-1/jobs/notify',X'7B2274696D657374616D70223A20','payload: b''{"timestamp": '' is not JSON in UTF-8 (unexpected end of data: line 1 column 15 (char 14))');
INSERT INTO "rejected_messages" VALUES(2,X'44F528117D39CCF022621CC36F9609BBA43A18CF29022EDD35D9F7CB31B44D85',1700003100000,'$aws/events/job/scheduled/completed',X'7B226A6F624964223A2022616E6F74686572227D','jobId: ''another'' is not ''scheduled'', as the topic says');
INSERT INTO "rejected_messages" VALUES(3,X'6EA0488A6FFC1DEE8B96C97DF1AC1FC4957378A824A2086C2001EEE076340BB2',1700003100000,'$aws/things/t-1/jobs/scheduled/get/accepted',X'00FF270A','payload: b"\x00\xff''\n" is not JSON in UTF-8 (str is not valid UTF-8: surrogates not allowed: line 1 column 1 (char 0))');
CREATE TABLE retention (
    the_one INTEGER PRIMARY KEY CHECK (the_one = 1),
    horizon INTEGER NOT NULL
) STRICT;
INSERT INTO "retention" VALUES(1,1668464100000);
CREATE TABLE session (
    the_one        INTEGER PRIMARY KEY CHECK (the_one = 1),
    complete_since INTEGER  -- null: a session was lost, and the next is not whole yet
) STRICT;
INSERT INTO "session" VALUES(1,1700000000000);
CREATE TABLE subscriptions (
    topic_filter TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;
INSERT INTO "subscriptions" VALUES('$aws/events/job/#');
INSERT INTO "subscriptions" VALUES('$aws/events/jobExecution/#');
INSERT INTO "subscriptions" VALUES('$aws/events/thingGroup/#');
INSERT INTO "subscriptions" VALUES('$aws/things/+/jobs/#');
CREATE TABLE thing_groups (
    thing_group_name TEXT NOT NULL,  -- '' where only the id was told
    thing_group_id   TEXT NOT NULL,  -- '' where only the name was told
    PRIMARY KEY (thing_group_name, thing_group_id)
) STRICT, WITHOUT ROWID;
INSERT INTO "thing_groups" VALUES('a:b','');
INSERT INTO "thing_groups" VALUES('floor-1','');
INSERT INTO "thing_groups" VALUES('lab','');
INSERT INTO "thing_groups" VALUES('unused','');
INSERT INTO "thing_groups" VALUES('','1ab00000-aaaa-4bbb-8ccc-000000000002');
INSERT INTO "thing_groups" VALUES('lab','1ab00000-aaaa-4bbb-8ccc-000000000002');
INSERT INTO "thing_groups" VALUES('floor-1','f1000000-aaaa-4bbb-8ccc-000000000001');
CREATE INDEX executions_ends ON executions (job_id, has_ended, ended_at);
CREATE INDEX executions_pending ON executions (thing_name) WHERE has_ended = 0;
CREATE INDEX thing_groups_by_id ON thing_groups (thing_group_id);
CREATE INDEX jobs_deleted ON jobs (deleted_at, job_id) WHERE deleted_at > -2;
CREATE VIEW counted_jobs AS
SELECT
    *,
    nullif(trim(
        coalesce(substr(target_group_names, 2, length(target_group_names) - 2) || ',', '')
        || coalesce('"name:' || thing_group_name || '",', '')
        || coalesce('"id:' || thing_group_id || '"', ''),
        ','
    ), '') AS told_groups
FROM (
    SELECT
        job_id,
        deleted_at = -2 OR born_at > deleted_at AS is_visible,
        CASE WHEN namespace_id_stamp > horizon THEN namespace_id END AS namespace_id,
        CASE WHEN status_stamp > horizon THEN status END AS status,
        CASE WHEN target_selection_stamp > horizon THEN target_selection END AS target_selection,
        CASE WHEN thing_group_id_stamp > horizon THEN thing_group_id END AS thing_group_id,
        CASE WHEN thing_group_name_stamp > horizon THEN thing_group_name END AS thing_group_name,
        CASE WHEN target_group_names_stamp > horizon THEN target_group_names END AS target_group_names,
        CASE WHEN is_concurrent_stamp > horizon THEN is_concurrent END AS is_concurrent,
        CASE WHEN created_at_stamp > horizon AND created_at > deleted_at THEN created_at END AS created_at,
        CASE WHEN completed_at_stamp > horizon THEN completed_at END AS completed_at,
        CASE WHEN job_arn_stamp > horizon THEN job_arn END AS job_arn,
        max(earliest_at, deleted_at) AS earliest_at,
        latest_at,
        arrived_at,
        listed_created_at
    FROM (SELECT *, deleted_at * 8 + 7 AS horizon FROM jobs)
);
CREATE INDEX job_summaries_by_kind ON job_summaries (kind, created_at, job_id);
CREATE INDEX job_summaries_by_namespace ON job_summaries (namespace_id, kind, created_at, job_id);
CREATE INDEX job_thing_groups_by_namespace ON job_thing_groups (thing_group, namespace_id, kind, created_at, job_id);
CREATE INDEX executions_by_thing ON executions (thing_name, queued_at);
CREATE INDEX executions_waiting ON executions (waiting_since) WHERE waiting_since IS NOT NULL;
CREATE INDEX namespace_jobs_none ON namespace_jobs (jobs) WHERE jobs = 0;
CREATE INDEX namespace_executions_none ON namespace_executions (executions) WHERE executions = 0;
COMMIT;
