package millstream.peer;

import org.apache.flink.api.java.tuple.Tuple4;
import org.apache.flink.api.java.tuple.Tuple6;

/** JSON lines of the dump. The generator's strings need no escapes. */
final class Json {
    private Json() {}

    static String of(Bid b) {
        return "{\"auction\":" + b.auction + ",\"bidder\":" + b.bidder + ",\"price\":" + b.price + ",\"channel\":\"" + b.channel
                + "\",\"url\":\"" + b.url + "\",\"dateTime\":" + b.dateTime + ",\"extra\":\"" + b.extra + "\"}";
    }

    static String of(Auction a) {
        return "{\"id\":" + a.id + ",\"itemName\":\"" + a.itemName + "\",\"initialBid\":" + a.initialBid + ",\"reserve\":" + a.reserve
                + ",\"dateTime\":" + a.dateTime + ",\"expires\":" + a.expires + ",\"seller\":" + a.seller + ",\"category\":" + a.category
                + ",\"extra\":\"" + a.extra + "\"}";
    }

    static String of(Person p) {
        return "{\"id\":" + p.id + ",\"name\":\"" + p.name + "\",\"city\":\"" + p.city + "\",\"state\":\"" + p.state
                + "\",\"dateTime\":" + p.dateTime + ",\"extra\":\"" + p.extra + "\"}";
    }

    /** A result of w4. */
    static String of(Tuple4<Long, Long, Long, Long> t) {
        return "{\"auction\":" + t.f0 + ",\"windowStart\":" + t.f1 + ",\"count\":" + t.f2 + ",\"max\":" + t.f3 + "}";
    }

    /** A result of w5. */
    static String of(Tuple6<Long, Long, Long, Long, Long, Long> t) {
        return "{\"auction\":" + t.f0 + ",\"seller\":" + t.f1 + ",\"category\":" + t.f2 + ",\"bidder\":" + t.f3 + ",\"price\":" + t.f4
                + ",\"dateTime\":" + t.f5 + "}";
    }
}
