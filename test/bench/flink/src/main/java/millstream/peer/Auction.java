package millstream.peer;

/** An auction; ends at {@code expires}. A POJO, so that Flink serialises it without Kryo. */
public class Auction {
    public long id;
    public String itemName;
    public long initialBid;
    public long reserve;
    public long dateTime;
    public long expires;
    public long seller;
    public long category;
    public String extra;

    public Auction() {}
}
