// Hands in a job by the intake stream. When XADD has answered, the job is stored.
//
//   java EnqueueStream.java redis://127.0.0.1:6379 order-4711 EC-HWL-6V8-NMQ EC-KEV-1XF-5BD
//
// It speaks the protocol of Redis itself, and needs nothing but Java 17. With Jedis or Lettuce it is one call of xadd.

import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.Socket;
import java.net.URI;
import java.util.List;

import static java.nio.charset.StandardCharsets.UTF_8;

public class EnqueueStream {
    public static void main(String[] arguments) throws IOException {
        URI address = URI.create(arguments[0]);
        List<String> references = List.of(arguments).subList(2, arguments.length);
        try (Socket redis = new Socket(address.getHost(), address.getPort())) {
            redis.getOutputStream().write(command(
                    "XADD", "cancellist:intake", "*",
                    "references", String.join("\n", references),
                    "reason", "order withdrawn",
                    "requested_by", "shop",
                    "idempotency_key", arguments[1]));
            BufferedReader answers = new BufferedReader(new InputStreamReader(redis.getInputStream(), UTF_8));
            String first = answers.readLine();
            if (first == null || !first.startsWith("$")) {
                throw new IOException("Redis answered " + first);
            }
            System.out.println(answers.readLine()); // the entry's id
        }
    }

    /** A command as Redis reads it: the number of words, then each with its length in bytes. */
    private static byte[] command(String... words) throws IOException {
        ByteArrayOutputStream command = new ByteArrayOutputStream();
        command.write(("*" + words.length + "\r\n").getBytes(UTF_8));
        for (String word : words) {
            byte[] bytes = word.getBytes(UTF_8);
            command.write(("$" + bytes.length + "\r\n").getBytes(UTF_8));
            command.write(bytes);
            command.write("\r\n".getBytes(UTF_8));
        }
        return command.toByteArray();
    }
}
