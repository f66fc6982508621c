-- Name: Compaction 5: drop the helper table
-- Description: Drops the table that 1 made. The Parquet files stay where they are.
DROP TABLE IF EXISTS compaction_by_hand
