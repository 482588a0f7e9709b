package millstream.peer;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import org.apache.flink.api.connector.source.SourceSplit;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/** The numbers i with {@code i % of == index}, from {@code next} on; number i of a paced input is due at start + i / rate. */
final class GeneratorSplit implements SourceSplit {
    final int index;
    final int of;
    final long startNanos;
    long next;

    GeneratorSplit(int index, int of, long startNanos, long next) {
        this.index = index;
        this.of = of;
        this.startNanos = startNanos;
        this.next = next;
    }

    @Override
    public String splitId() {
        return "generator-" + index;
    }

    static final class Serializer implements SimpleVersionedSerializer<GeneratorSplit> {
        @Override
        public int getVersion() {
            return 1;
        }

        @Override
        public byte[] serialize(GeneratorSplit split) throws IOException {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            DataOutputStream data = new DataOutputStream(bytes);
            data.writeInt(split.index);
            data.writeInt(split.of);
            data.writeLong(split.startNanos);
            data.writeLong(split.next);
            return bytes.toByteArray();
        }

        @Override
        public GeneratorSplit deserialize(int version, byte[] bytes) throws IOException {
            DataInputStream data = new DataInputStream(new ByteArrayInputStream(bytes));
            return new GeneratorSplit(data.readInt(), data.readInt(), data.readLong(), data.readLong());
        }
    }
}
