package millstream.peer;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.connector.source.Boundedness;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.api.java.typeutils.ResultTypeQueryable;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/** Bounded, replayable source over the generator: subtask s of P emits the numbers i with i % P == s. All subtasks start together. */
final class GeneratorSource<T> implements Source<T, GeneratorSplit, Integer>, ResultTypeQueryable<T> {
    /** From the last subtask's registration to the first record that is due, for the splits to arrive. */
    private static final long LEAD_NANOS = 50_000_000;

    private final Class<T> type;
    final long records;
    final boolean eventTime;
    final double rate;

    /**
     * @param type Bid, or Event for the mixed stream
     * @param eventTime whether records carry their event time
     * @param rate records a second over all subtasks; dateTime becomes the System.nanoTime() at which the record is due. 0: as fast as it goes
     */
    GeneratorSource(Class<T> type, long records, boolean eventTime, double rate) {
        this.type = type;
        this.records = records;
        this.eventTime = eventTime;
        this.rate = rate;
    }

    boolean mixed() {
        return type == Event.class;
    }

    @Override
    public Boundedness getBoundedness() {
        return Boundedness.BOUNDED;
    }

    @Override
    public TypeInformation<T> getProducedType() {
        return TypeInformation.of(type);
    }

    @Override
    public SourceReader<T, GeneratorSplit> createReader(SourceReaderContext context) {
        return new GeneratorReader<>(this);
    }

    @Override
    public SplitEnumerator<GeneratorSplit, Integer> createEnumerator(SplitEnumeratorContext<GeneratorSplit> context) {
        return new Enumerator(context);
    }

    @Override
    public SplitEnumerator<GeneratorSplit, Integer> restoreEnumerator(SplitEnumeratorContext<GeneratorSplit> context, Integer state) {
        return new Enumerator(context);
    }

    /** Hands out one split a subtask, once all are there. */
    private static final class Enumerator implements SplitEnumerator<GeneratorSplit, Integer> {
        private final SplitEnumeratorContext<GeneratorSplit> context;
        private final Set<Integer> readers = new HashSet<>();

        Enumerator(SplitEnumeratorContext<GeneratorSplit> context) {
            this.context = context;
        }

        @Override
        public void start() {}

        @Override
        public void handleSplitRequest(int subtask, String host) {}

        @Override
        public void addSplitsBack(List<GeneratorSplit> splits, int subtask) {
            throw new IllegalStateException("the benchmark's jobs do not restart");
        }

        @Override
        public void addReader(int subtask) {
            int parallelism = context.currentParallelism();
            if (!readers.add(subtask) || readers.size() < parallelism) return;
            long start = System.nanoTime() + LEAD_NANOS;
            for (int s = 0; s < parallelism; s++) {
                context.assignSplit(new GeneratorSplit(s, parallelism, start, s), s);
                context.signalNoMoreSplits(s);
            }
        }

        @Override
        public Integer snapshotState(long checkpointId) {
            return 0;
        }

        @Override
        public void close() {}
    }

    @Override
    public SimpleVersionedSerializer<GeneratorSplit> getSplitSerializer() {
        return new GeneratorSplit.Serializer();
    }

    @Override
    public SimpleVersionedSerializer<Integer> getEnumeratorCheckpointSerializer() {
        return new SimpleVersionedSerializer<>() {
            @Override
            public int getVersion() {
                return 1;
            }

            @Override
            public byte[] serialize(Integer state) {
                return new byte[] {state.byteValue()};
            }

            @Override
            public Integer deserialize(int version, byte[] bytes) {
                return (int) bytes[0];
            }
        };
    }
}
