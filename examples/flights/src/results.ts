/** The names of the queries' directories below the results directory. */
export const QUERIES = {
  delaysByHour: 'delays-by-hour',
  worstOrigins: 'worst-origins',
  disruptions: 'disruptions',
  silences: 'silences',
  late: 'late',
} as const;
