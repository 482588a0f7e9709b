package millstream.peer;

/** A bid on an auction. A POJO, so that Flink serialises it without Kryo. */
public class Bid {
    public long auction;
    public long bidder;
    public long price;
    public String channel;
    public String url;
    public long dateTime;
    public String extra;

    public Bid() {}
}
