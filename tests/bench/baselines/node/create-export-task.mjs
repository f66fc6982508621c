// create-export-task of the 2019 design: exports the previous month of one log group.
//
// It makes the same calls as the Rust function: it reads the manifests of the month and its neighbours, the log group, its streams and the
// newest tasks, and then creates a task.

import { createHash } from "node:crypto";
import {
  CloudWatchLogsClient,
  CreateExportTaskCommand,
  DescribeExportTasksCommand,
  DescribeLogGroupsCommand,
  DescribeLogStreamsCommand,
} from "@aws-sdk/client-cloudwatch-logs";
import { ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { neighbour, previousMonth } from "./month.mjs";

const logs = new CloudWatchLogsClient({});
// The endpoint is an IP address, so it needs path-style addresses.
const s3 = new S3Client({ forcePathStyle: true });

// A task with one of these statuses is adopted.
const ADOPTED = ["PENDING", "RUNNING", "COMPLETED"];

export async function handler(event) {
  const { year, month, start, end } = previousMonth(new Date(event.scheduledTime));
  const logGroupName = event.logGroupName;

  const folder = `${event.s3Prefix}/log_group=${logGroupName}`;
  const prefixes = [-1, 0, 1].map((months) => manifestPrefix(event.s3BucketName, folder, logGroupName, neighbour(year, month, months)));
  for (const prefix of prefixes) {
    const { KeyCount } = await s3.send(new ListObjectsV2Command({ Bucket: event.s3BucketName, Prefix: prefix }));
    if (KeyCount > 0) {
      return { ...event, status: "SKIPPED" };
    }
  }
  const { logGroups = [] } = await logs.send(new DescribeLogGroupsCommand({ logGroupNamePrefix: logGroupName }));
  const group = logGroups.find((candidate) => candidate.logGroupName === logGroupName);
  if (group === undefined || group.creationTime >= end) {
    return { ...event, status: "SKIPPED" };
  }
  const { logStreams = [] } = await logs.send(
    new DescribeLogStreamsCommand({ logGroupName, orderBy: "LastEventTime", descending: true, limit: 50 }),
  );
  if (logStreams.every((stream) => (stream.lastEventTimestamp ?? end) < start)) {
    return { ...event, status: "SKIPPED" };
  }

  const taskName = `${logGroupName}-${year}-${month}`;
  const { exportTasks = [] } = await logs.send(new DescribeExportTasksCommand({ limit: 50 }));
  const existing = exportTasks.find((task) => task.taskName === taskName && ADOPTED.includes(task.status.code));
  if (existing !== undefined) {
    return { ...event, taskId: existing.taskId, status: "ADOPTED" };
  }
  const { taskId } = await logs.send(
    new CreateExportTaskCommand({
      taskName,
      logGroupName,
      from: start,
      to: end - 1,
      destination: event.s3BucketName,
      destinationPrefix: `${folder}/year=${year}/month=${month}`,
    }),
  );
  return { ...event, taskId, status: "CREATED" };
}

function manifestPrefix(bucket, folder, logGroupName, { year, month }) {
  const place = JSON.stringify([process.env.ACCOUNT_ID, process.env.AWS_REGION, bucket, logGroupName, folder]);
  const hash = createHash("sha256").update(place).digest("hex").slice(0, 32);
  return `${process.env.S3_PREFIX}/manifests/year=${year}/month=${month}/${hash}-`;
}
