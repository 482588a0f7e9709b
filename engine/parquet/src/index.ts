/** `@millstream/parquet`: Parquet files as a source, and as columns for sources of one's own. */
export type { ParquetColumn, ParquetColumns, ParquetColumnType, ParquetRow, ParquetValue } from './column-types.js';
export { ParquetFile, type RowGroup, type RowGroupRange } from './parquet-file.js';
export { ParquetSource, type ParquetSplit } from './parquet-source.js';
