package millstream.peer;

import java.io.IOException;
import java.time.Duration;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.functions.JoinFunction;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.api.java.tuple.Tuple4;
import org.apache.flink.api.java.tuple.Tuple6;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.windowing.ProcessWindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;

/** The jobs; ../src/workloads.ts has the same ones for Millstream. */
final class Workloads {
    private static final TypeInformation<Tuple2<Long, Long>> PAIR = Types.TUPLE(Types.LONG, Types.LONG);
    private static final Duration WINDOW = Duration.ofSeconds(10);

    private Workloads() {}

    /** @param rate 0, or w3lat's records a second */
    static void build(StreamExecutionEnvironment env, String workload, long records, double rate) {
        switch (workload) {
            case "w1" -> filter(bids(env, records, false, 0));
            case "w2" -> map(bids(env, records, false, 0));
            case "w3" -> count(bids(env, records, false, 0), false);
            case "w3lat" -> count(bids(env, records, false, rate), true);
            case "w4" -> window(bids(env, records, true, 0)).sinkTo(new CountingSink<>(Workloads::hash));
            case "w5" -> join(env, records).sinkTo(new CountingSink<>(Workloads::hash));
            default -> throw new IllegalArgumentException("cannot run workload '" + workload + "': there are w1, w2, w3, w3lat, w4, w5");
        }
    }

    static DataStream<Bid> bids(StreamExecutionEnvironment env, long records, boolean eventTime, double rate) {
        WatermarkStrategy<Bid> watermarks = eventTime ? Workloads.<Bid>bounded() : WatermarkStrategy.noWatermarks();
        return env.fromSource(new GeneratorSource<>(Bid.class, records, eventTime, rate), watermarks, "bids", TypeInformation.of(Bid.class));
    }

    /** Records carry their event time from the source. */
    private static <T> WatermarkStrategy<T> bounded() {
        return WatermarkStrategy.forBoundedOutOfOrderness(Duration.ofMillis(Generator.MAX_JITTER_MS));
    }

    private static void filter(DataStream<Bid> bids) {
        bids.filter(b -> b.auction % 123 == 0).sinkTo(new CountingSink<>(b -> (int) b.price));
    }

    private static void map(DataStream<Bid> bids) {
        bids.map(EuroBid::of).returns(TypeInformation.of(EuroBid.class)).sinkTo(new CountingSink<>(b -> (int) (long) b.price));
    }

    /** Running count and sum; for w3lat the record's due time instead of the sum. */
    private static final class Running extends RichMapFunction<Bid, Tuple3<Long, Long, Long>> {
        private final boolean carryTime;
        private final Tuple3<Long, Long, Long> out = new Tuple3<>();
        private transient ValueState<Tuple2<Long, Long>> state;

        Running(boolean carryTime) {
            this.carryTime = carryTime;
        }

        @Override
        public void open(OpenContext context) {
            state = getRuntimeContext().getState(new ValueStateDescriptor<>("running", PAIR));
        }

        @Override
        public Tuple3<Long, Long, Long> map(Bid bid) throws IOException {
            Tuple2<Long, Long> running = state.value();
            if (running == null) running = Tuple2.of(0L, 0L);
            running.f0++;
            running.f1 += bid.price;
            state.update(running);
            out.f0 = bid.auction;
            out.f1 = running.f0;
            out.f2 = carryTime ? bid.dateTime : running.f1;
            return out;
        }
    }

    private static void count(DataStream<Bid> bids, boolean latency) {
        bids.keyBy(b -> b.auction, Types.LONG).map(new Running(latency)).returns(Types.TUPLE(Types.LONG, Types.LONG, Types.LONG))
                .sinkTo(new CountingSink<>(t -> (int) (long) t.f1, latency ? t -> t.f2 : null));
    }

    private static final class CountAndMax implements AggregateFunction<Bid, Tuple2<Long, Long>, Tuple2<Long, Long>> {
        @Override
        public Tuple2<Long, Long> createAccumulator() {
            return Tuple2.of(0L, Long.MIN_VALUE);
        }

        @Override
        public Tuple2<Long, Long> add(Bid bid, Tuple2<Long, Long> accumulator) {
            accumulator.f0++;
            if (bid.price > accumulator.f1) accumulator.f1 = bid.price;
            return accumulator;
        }

        @Override
        public Tuple2<Long, Long> getResult(Tuple2<Long, Long> accumulator) {
            return accumulator;
        }

        @Override
        public Tuple2<Long, Long> merge(Tuple2<Long, Long> left, Tuple2<Long, Long> right) {
            return Tuple2.of(left.f0 + right.f0, Math.max(left.f1, right.f1));
        }
    }

    private static final class WithKeyAndWindow
            extends ProcessWindowFunction<Tuple2<Long, Long>, Tuple4<Long, Long, Long, Long>, Long, TimeWindow> {
        @Override
        public void process(Long key, Context context, Iterable<Tuple2<Long, Long>> in, Collector<Tuple4<Long, Long, Long, Long>> out) {
            Tuple2<Long, Long> result = in.iterator().next();
            out.collect(Tuple4.of(key, context.window().getStart(), result.f0, result.f1));
        }
    }

    /** auction, window start, count, highest price. */
    static DataStream<Tuple4<Long, Long, Long, Long>> window(DataStream<Bid> bids) {
        return bids.keyBy(b -> b.auction, Types.LONG).window(TumblingEventTimeWindows.of(WINDOW))
                .aggregate(new CountAndMax(), new WithKeyAndWindow(), PAIR, PAIR, Types.TUPLE(Types.LONG, Types.LONG, Types.LONG, Types.LONG));
    }

    private static int hash(Tuple4<Long, Long, Long, Long> t) {
        return (int) (long) t.f0 * 31 + (int) (t.f1 / 10_000) * 17 + (int) (long) t.f2 * 7 + (int) (long) t.f3;
    }

    private static final class AuctionWithBid implements JoinFunction<Auction, Bid, Tuple6<Long, Long, Long, Long, Long, Long>> {
        @Override
        public Tuple6<Long, Long, Long, Long, Long, Long> join(Auction auction, Bid bid) {
            return Tuple6.of(auction.id, auction.seller, auction.category, bid.bidder, bid.price, bid.dateTime);
        }
    }

    /** auction, seller, category, bidder, price, time of the bid. */
    static DataStream<Tuple6<Long, Long, Long, Long, Long, Long>> join(StreamExecutionEnvironment env, long records) {
        DataStream<Event> events = env.fromSource(
                new GeneratorSource<>(Event.class, records, true, 0), Workloads.<Event>bounded(), "events", TypeInformation.of(Event.class));
        DataStream<Auction> auctions = events.filter(e -> e.kind == 1).map(e -> e.auction).returns(TypeInformation.of(Auction.class));
        DataStream<Bid> bids = events.filter(e -> e.kind == 2).map(e -> e.bid).returns(TypeInformation.of(Bid.class));
        return auctions.join(bids).where(a -> a.id, Types.LONG).equalTo(b -> b.auction, Types.LONG)
                .window(TumblingEventTimeWindows.of(WINDOW))
                .apply(new AuctionWithBid(), Types.TUPLE(Types.LONG, Types.LONG, Types.LONG, Types.LONG, Types.LONG, Types.LONG));
    }

    private static int hash(Tuple6<Long, Long, Long, Long, Long, Long> t) {
        return (int) (long) t.f0 * 31 + (int) (long) t.f3 * 17 + (int) (long) t.f4 * 7 + (int) (t.f5 % 1_000_000);
    }
}
