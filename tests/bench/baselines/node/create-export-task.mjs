// create-export-task of the 2019 design: exports the previous month of one log group.
//
// It looks at the same things in CloudWatch Logs as the Rust function, call by call; it has no manifest to look for.

import {
  CloudWatchLogsClient,
  CreateExportTaskCommand,
  DescribeExportTasksCommand,
  DescribeLogGroupsCommand,
  DescribeLogStreamsCommand,
} from "@aws-sdk/client-cloudwatch-logs";
import { previousMonth } from "./month.mjs";

const logs = new CloudWatchLogsClient({});

// States of a task that need not be created again.
const TAKEN = ["PENDING", "RUNNING", "COMPLETED"];

export async function handler(event) {
  const { year, month, start, end } = previousMonth(new Date(event.scheduledTime));
  const logGroupName = event.logGroupName;

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
      destinationPrefix: `${year}/${month}/${event.s3Prefix}`,
    }),
  );
  return { ...event, taskId, status: "CREATED" };
}
