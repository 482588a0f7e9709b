package millstream.peer;

/** A bidder or seller. A POJO, so that Flink serialises it without Kryo. */
public class Person {
    public long id;
    public String name;
    public String city;
    public String state;
    public long dateTime;
    public String extra;

    public Person() {}
}
