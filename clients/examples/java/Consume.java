// Reads the results of all jobs through a consumer group, until it is stopped.
//
//   java Consume.java redis://127.0.0.1:6379 billing billing-1
//
// A result is acknowledged once it has been dealt with, so one that was under way at a crash comes again. It speaks the
// protocol of Redis itself, and needs nothing but Java 17; Jedis and Lettuce have a method for each of its commands.

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.Socket;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;

import static java.nio.charset.StandardCharsets.UTF_8;

public class Consume {
    private static final String RESULTS = "cancellist:results";

    private final Socket redis;
    private final DataInputStream answers;

    private Consume(URI address) throws IOException {
        redis = new Socket(address.getHost(), address.getPort());
        answers = new DataInputStream(new BufferedInputStream(redis.getInputStream()));
    }

    public static void main(String[] arguments) throws IOException {
        String group = arguments[1], consumer = arguments[2];
        String takeOverMs = arguments.length > 3 ? arguments[3] : "60000";
        Consume one = new Consume(URI.create(arguments[0]));
        try {
            one.ask("XGROUP", "CREATE", RESULTS, group, "0", "MKSTREAM");
        } catch (RedisError error) {
            if (!error.getMessage().startsWith("BUSYGROUP")) {
                throw error;
            }
        }
        String start = "0-0";
        while (true) {
            // what a consumer that died has held becomes ours
            start = (String) list(one.ask(
                    "XAUTOCLAIM", RESULTS, group, consumer, takeOverMs, start, "COUNT", "100", "JUSTID")).get(0);
            one.deal(group, one.read(group, consumer, "0")); // all that is ours
            one.deal(group, one.read(group, consumer, ">")); // what is new
        }
    }

    private Object read(String group, String consumer, String after) throws IOException {
        return ask("XREADGROUP", "GROUP", group, consumer, "COUNT", "100", "BLOCK", "5000", "STREAMS", RESULTS, after);
    }

    private void deal(String group, Object read) throws IOException {
        if (read == null) {
            return; // nothing new has come for five seconds
        }
        for (Object entry : list(list(list(read).get(0)).get(1))) {
            String id = (String) list(entry).get(0);
            List<Object> result = list(entry).get(1) == null ? List.of() : list(list(entry).get(1));
            if (!result.isEmpty()) { // else it was trimmed meanwhile
                System.out.println(id + " " + field(result, "reference") + " " + field(result, "outcome")); // your own work
            }
            ask("XACK", RESULTS, group, id);
        }
    }

    private static String field(List<Object> result, String name) {
        return (String) result.get(result.indexOf(name) + 1);
    }

    @SuppressWarnings("unchecked")
    private static List<Object> list(Object answer) {
        return (List<Object>) answer;
    }

    /** Sends a command, and reads its answer: text, a number, a list of answers, or null. */
    private Object ask(String... words) throws IOException {
        ByteArrayOutputStream command = new ByteArrayOutputStream();
        command.write(("*" + words.length + "\r\n").getBytes(UTF_8));
        for (String word : words) {
            byte[] bytes = word.getBytes(UTF_8);
            command.write(("$" + bytes.length + "\r\n").getBytes(UTF_8));
            command.write(bytes);
            command.write("\r\n".getBytes(UTF_8));
        }
        redis.getOutputStream().write(command.toByteArray());
        return answer();
    }

    private Object answer() throws IOException {
        String line = line();
        String rest = line.substring(1);
        switch (line.charAt(0)) {
            case '+':
                return rest;
            case ':':
                return Long.valueOf(rest);
            case '$':
                int length = Integer.parseInt(rest);
                if (length < 0) {
                    return null;
                }
                byte[] bytes = new byte[length + 2];
                answers.readFully(bytes);
                return new String(bytes, 0, length, UTF_8);
            case '*':
                int count = Integer.parseInt(rest);
                if (count < 0) {
                    return null;
                }
                List<Object> found = new ArrayList<>();
                for (int at = 0; at < count; at++) {
                    found.add(answer());
                }
                return found;
            default:
                throw new RedisError(rest);
        }
    }

    private String line() throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        for (int one = answers.read(); one != '\n'; one = answers.read()) {
            if (one < 0) {
                throw new EOFException("Redis has closed the connection");
            }
            line.write(one);
        }
        return line.toString(UTF_8).stripTrailing();
    }

    private static class RedisError extends IOException {
        RedisError(String message) {
            super(message);
        }
    }
}
