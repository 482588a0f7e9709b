package millstream.peer;

import java.io.Serializable;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.api.connector.sink2.WriterInitContext;

/** Discards records; keeps their number, a 32-bit checksum and, where asked, how late they are. */
final class CountingSink<T> implements Sink<T> {
    interface Hash<T> extends Serializable {
        int of(T record);
    }

    /** The System.nanoTime() at which the record was due at the source. */
    interface Due<T> extends Serializable {
        long at(T record);
    }

    private final Hash<T> hash;
    private final Due<T> due;

    CountingSink(Hash<T> hash) {
        this(hash, null);
    }

    CountingSink(Hash<T> hash, Due<T> due) {
        this.hash = hash;
        this.due = due;
    }

    @Override
    public SinkWriter<T> createWriter(WriterInitContext context) {
        final Hash<T> hash = this.hash;
        final Due<T> due = this.due;
        return new SinkWriter<>() {
            private long count;
            private int sum;

            @Override
            public void write(T record, Context context) {
                count++;
                sum += hash.of(record);
                if (due != null) Probe.latency(System.nanoTime() - due.at(record));
            }

            @Override
            public void flush(boolean endOfInput) {
                if (!endOfInput) return;
                Probe.lastRecordNanos.accumulate(System.nanoTime());
                Probe.out.addAndGet(count);
                Probe.checksum.addAndGet(sum);
            }

            @Override
            public void close() {}
        };
    }
}
