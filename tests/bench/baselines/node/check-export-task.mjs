// check-export-task of the 2019 design: fails while the task is pending, so that the state machine's Retry is the polling.

import { CloudWatchLogsClient, DescribeExportTasksCommand } from "@aws-sdk/client-cloudwatch-logs";

const logs = new CloudWatchLogsClient({});

const PENDING = { PENDING: "ExportTaskPending", RUNNING: "ExportTaskRunning" };

export async function handler(event) {
  const { exportTasks = [] } = await logs.send(new DescribeExportTasksCommand({ taskId: event.taskId }));
  const [task] = exportTasks;
  const code = task.status.code;
  if (code in PENDING) {
    const error = new Error(`export task ${event.taskId} is ${code}`);
    error.name = PENDING[code];
    throw error;
  }
  return { ...event, status: code };
}
