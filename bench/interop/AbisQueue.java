// A MOSIP's side of the queues: an ActiveMQ broker in this process, JMS messages of both
// kinds, and a web server that shares samples. It drives `plinth abis`.
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpServer;
import java.io.File;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.UUID;
import javax.jms.*;
import org.apache.activemq.ActiveMQConnectionFactory;
import org.apache.activemq.broker.BrokerService;

public class AbisQueue {
  static final ObjectMapper json = new ObjectMapper();
  static Session session;
  static MessageProducer requests;
  static MessageConsumer answers;

  public static void main(String[] args) throws Exception {
    String plinth = args[0], work = args[1];
    HttpServer share = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
    share.createContext("/share/", exchange -> {
      byte[] raw = Files.readAllBytes(Path.of(work, new File(exchange.getRequestURI().getPath()).getName()));
      exchange.sendResponseHeaders(200, raw.length);
      exchange.getResponseBody().write(raw);
      exchange.close();
    });
    share.start();
    String below = "http://127.0.0.1:" + share.getAddress().getPort() + "/share/";

    int port;
    try (ServerSocket free = new ServerSocket(0)) { port = free.getLocalPort(); }
    BrokerService broker = broker(port);
    ProcessBuilder builder = new ProcessBuilder(plinth, "abis", "--data", work + "/abis", "--listen", "127.0.0.1:0", "--fetch", below, "--queue", "amqp://127.0.0.1:" + port);
    builder.environment().put("PLINTH_KEY_PASSPHRASE", "a passphrase for trials");
    builder.environment().put("PLINTH_ABIS_SECRET", "a secret for trials");
    builder.redirectError(ProcessBuilder.Redirect.appendTo(new File(work, "abis.err")));
    Process abis = builder.start();
    try {
      connect();
      want(ask(text("insert", "one", below + "a.xml")), "insert", "1");
      want(ask(bytes("insert", "two", below + "b.xml")), "insert", "1");
      want(ask(text("insert", "two", below + "b.xml")), "insert again", "2");
      JsonNode found = ask(text("identify", "one", ""));
      want(found, "identify", "1");
      if (!found.at("/candidateList/candidates/0/referenceId").asText().equals("two")) throw new Exception("the other impression was not found: " + found);
      // The broker goes away and comes back; so does the service.
      broker.stop();
      broker.waitUntilStopped();
      broker = broker(port);
      connect();
      want(ask(bytes("delete", "two", "")), "delete", "1");
      JsonNode count = ask(text("referenceCount", "", ""));
      want(count, "referenceCount", "1");
      if (!count.get("count").asText().equals("1")) throw new Exception("not one person: " + count);
      System.out.println("ok");
    } finally {
      abis.destroy();
      abis.waitFor();
      broker.stop();
      share.stop(0);
    }
    System.exit(0);
  }

  static BrokerService broker(int port) throws Exception {
    BrokerService b = new BrokerService();
    b.setBrokerName("trial");
    b.setPersistent(false);
    b.setUseJmx(false);
    b.addConnector("amqp://127.0.0.1:" + port + "?transport.transformer=jms");
    b.start();
    b.waitUntilStarted();
    return b;
  }

  static void connect() throws Exception {
    Connection c = new ActiveMQConnectionFactory("vm://trial?create=false").createConnection();
    c.start();
    session = c.createSession(false, Session.AUTO_ACKNOWLEDGE);
    requests = session.createProducer(session.createQueue("mosip-to-abis"));
    answers = session.createConsumer(session.createQueue("abis-to-mosip"));
  }

  static String request(String kind, String reference, String url) throws Exception {
    return json.writeValueAsString(json.createObjectNode().put("id", "mosip.abis." + kind).put("version", "1.1").put("requestId", UUID.randomUUID().toString())
        .put("requesttime", "2026-03-29T07:01:24.692Z").put("referenceId", reference).put("referenceURL", url));
  }

  static Message text(String kind, String reference, String url) throws Exception {
    return session.createTextMessage(request(kind, reference, url));
  }

  static Message bytes(String kind, String reference, String url) throws Exception {
    BytesMessage m = session.createBytesMessage();
    m.writeBytes(request(kind, reference, url).getBytes(StandardCharsets.UTF_8));
    return m;
  }

  static JsonNode ask(Message m) throws Exception {
    requests.send(m);
    Message answer = answers.receive(60_000);
    if (answer == null) throw new Exception("no answer within a minute");
    if (m instanceof TextMessage != answer instanceof TextMessage) throw new Exception("a text is answered by a text, bytes by bytes; got " + answer.getClass());
    if (answer instanceof TextMessage t) return json.readTree(t.getText());
    BytesMessage b = (BytesMessage) answer;
    byte[] raw = new byte[(int) b.getBodyLength()];
    b.readBytes(raw);
    return json.readTree(raw);
  }

  static void want(JsonNode answer, String what, String value) throws Exception {
    if (!answer.get("returnValue").asText().equals(value)) throw new Exception(what + ": " + answer);
  }
}
