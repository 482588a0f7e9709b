/**
 * The main job: 3,000,000 flights of 2001 by event time, enriched with airports, in four queries and a late output.
 *
 *     flights ──keyBy(origin)──▶ enrichment ─┬─▶ (a) delays by hour ──late──▶ (e)
 *     airports ──broadcast──────▶            ├─▶ (b) day per origin ──▶ ten worst of the day
 *                                            ├─▶ (c) disruptions
 *                                            └─▶ (d) silences
 */
import {
  defineJob,
  FileSink,
  type JobDefinition,
  jsonLinesEncoder,
  OutputTag,
  SlidingEventTimeWindows,
  TumblingEventTimeWindows,
  WatermarkStrategy,
} from 'millstream';
import { type Airport, airportsSource } from './airports.js';
import { delayStatistics, LabelHour } from './delays-by-hour.js';
import { countDelayed, ReportDisruption } from './disruptions.js';
import { AIRPORTS, type EnrichedFlight, Enrichment } from './enrichment.js';
import { DAY_MS, type Flight, HOUR_MS, MINUTE_MS } from './flight.js';
import { DEFAULT_ORDER } from './flight-order.js';
import { FlightsSource } from './flights-source.js';
import { readParameters } from './parameters.js';
import { QUERIES } from './results.js';
import { Silences } from './silences.js';
import { delaySumOfOrigin, LabelDay, WorstOfDay } from './worst-origins.js';

/** How far the splits may drift apart. Late records are 30 days behind, so there is no doubt which are late. */
const DRIFT_MS = 2 * DAY_MS;

/** Exactly-once files of JSON lines in a query's directory. */
function resultSink<T>(results: string, query: string): FileSink<T> {
  return FileSink.forRowFormat(`${results}/${query}`, jsonLinesEncoder<T>());
}

const LATE = new OutputTag<EnrichedFlight>('late');

const job: JobDefinition = defineJob(
  (env, params) => {
    const { flights: path, airports: airportsPath, results, seed, rows, rate } = readParameters(params);
    const order = { ...DEFAULT_ORDER, seed };
    // The input passes at about a month of event time per second: 20 ms are half a day.
    env.configure({ 'pipeline.auto-watermark-interval': '20 ms' }).enableCheckpointing(500);

    const watermarks = WatermarkStrategy.forBoundedOutOfOrderness<Flight>(order.boundMs)
      .withTimestampAssigner((flight) => flight.date)
      .withWatermarkAlignment('flights', DRIFT_MS, 20);
    const source = new FlightsSource({ path, order, ...(rows !== undefined && { rows }), ...(rate !== undefined && { rate }) });
    const flights = env.fromSource(source, watermarks, 'flights').uid('flights');
    const airports = env
      .fromSource(airportsSource(airportsPath), WatermarkStrategy.noWatermarks<Airport>(), 'airports')
      .uid('airports')
      .setParallelism(1);

    // What follows gets just the fields that it reads: less to encode for other slots.
    const enriched = flights
      .keyBy('origin')
      .connect(airports.broadcast(AIRPORTS))
      .process(() => new Enrichment())
      .name('enrichment')
      .uid('enrichment');

    const hours = enriched
      .keyBy('origin')
      .window(TumblingEventTimeWindows.of(HOUR_MS))
      .sideOutputLateData(LATE)
      .aggregate(delayStatistics, () => new LabelHour())
      .name('delays by hour')
      .uid('delays-by-hour');
    hours.sinkTo(resultSink(results, QUERIES.delaysByHour), 'delays by hour').uid('delays-by-hour-files');

    enriched
      .filter(({ delay }) => delay > 0)
      .map(({ origin, city, state, delay }) => ({ origin, city, state, delay }))
      .keyBy('origin')
      .window(TumblingEventTimeWindows.of(DAY_MS))
      .aggregate(delaySumOfOrigin, () => new LabelDay())
      .name('delay by day')
      .uid('delay-by-day')
      .keyBy('day')
      .window(TumblingEventTimeWindows.of(DAY_MS))
      .process(() => new WorstOfDay())
      .name('worst origins')
      .uid('worst-origins')
      .sinkTo(resultSink(results, QUERIES.worstOrigins), 'worst origins')
      .uid('worst-origins-files');

    enriched
      .filter(({ delay }) => delay > 60)
      .keyBy('origin')
      .window(SlidingEventTimeWindows.of(3 * HOUR_MS, 30 * MINUTE_MS))
      .aggregate(countDelayed, () => new ReportDisruption())
      .name('disruptions')
      .uid('disruptions')
      .sinkTo(resultSink(results, QUERIES.disruptions), 'disruptions')
      .uid('disruptions-files');

    enriched
      .map(({ origin, date }) => ({ origin, date }))
      .keyBy('origin')
      .process(() => new Silences())
      .name('silences')
      .uid('silences')
      .sinkTo(resultSink(results, QUERIES.silences), 'silences')
      .uid('silences-files');

    hours
      .getSideOutput(LATE)
      .map(({ row, date, delay, distance, origin, destination }) => ({ row, date, delay, distance, origin, destination }))
      .sinkTo(resultSink(results, QUERIES.late), 'late flights')
      .uid('late-files');
  },
  { name: 'flights' },
);

export default job;
