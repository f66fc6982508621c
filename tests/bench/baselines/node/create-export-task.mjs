// create-export-task of the 2019 design: exports the previous month of one log group.
//
// It makes the same calls as the Rust function, one for one: the manifest of an earlier export, the log group, its streams and the newest
// tasks are looked at before a task is created.

import {
  CloudWatchLogsClient,
  CreateExportTaskCommand,
  DescribeExportTasksCommand,
  DescribeLogGroupsCommand,
  DescribeLogStreamsCommand,
} from "@aws-sdk/client-cloudwatch-logs";
import { GetObjectCommand, NoSuchKey, S3Client } from "@aws-sdk/client-s3";
import { previousMonth } from "./month.mjs";

const logs = new CloudWatchLogsClient({});
// Path style, as the endpoint is an address.
const s3 = new S3Client({ forcePathStyle: true });

// States of a task that need not be created again.
const TAKEN = ["PENDING", "RUNNING", "COMPLETED"];

export async function handler(event) {
  const { year, month, start, end } = previousMonth(new Date(event.scheduledTime));
  const logGroupName = event.logGroupName;

  const destinationPrefix = `${event.s3Prefix}/log_group=${logGroupName}/year=${year}/month=${month}`;
  if (await hasManifest(event.s3BucketName, `${destinationPrefix}/_manifest.json`)) {
    return { ...event, status: "SKIPPED" };
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
  const own = exportTasks.find((task) => task.taskName === taskName && TAKEN.includes(task.status.code));
  if (own !== undefined) {
    return { ...event, taskId: own.taskId, status: "ADOPTED" };
  }
  const { taskId } = await logs.send(
    new CreateExportTaskCommand({
      taskName,
      logGroupName,
      from: start,
      to: end - 1,
      destination: event.s3BucketName,
      destinationPrefix,
    }),
  );
  return { ...event, taskId, status: "CREATED" };
}

async function hasManifest(bucket, key) {
  try {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    JSON.parse(await Body.transformToString());
    return true;
  } catch (error) {
    if (error instanceof NoSuchKey) {
      return false;
    }
    throw error;
  }
}
