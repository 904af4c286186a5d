// Hands in a job over HTTP, waits for it, and prints its results as CSV. It needs nothing but Java 17.
//
//   TOKEN=... java Cancel.java http://127.0.0.1:8088 order-4711 EC-HWL-6V8-NMQ EC-KEV-1XF-5BD

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.List;

public class Cancel {
    private static final HttpClient HTTP = HttpClient.newHttpClient();

    public static void main(String[] arguments) throws IOException, InterruptedException {
        URI jobs = URI.create(arguments[0] + "/v1/jobs?reason=order%20withdrawn");
        List<String> references = List.of(arguments).subList(2, arguments.length);
        HttpRequest.Builder request = asking(jobs)
                .header("Content-Type", "text/plain")
                .header("Idempotency-Key", arguments[1])
                .header("Prefer", "wait=30")
                .POST(HttpRequest.BodyPublishers.ofString(String.join("\n", references)));

        // 202: the job goes on. The same key makes the same job, so asking again waits for it.
        HttpResponse<String> job;
        do {
            job = sent(request);
        } while (job.statusCode() == 202);

        URI results = jobs.resolve(job.headers().firstValue("Location").orElseThrow() + "/results");
        System.out.print(sent(asking(results).header("Accept", "text/csv")).body());
    }

    private static HttpRequest.Builder asking(URI address) {
        return HttpRequest.newBuilder(address).header("Authorization", "Bearer " + System.getenv("TOKEN"));
    }

    private static HttpResponse<String> sent(HttpRequest.Builder request) throws IOException, InterruptedException {
        HttpResponse<String> answer = HTTP.send(request.build(), BodyHandlers.ofString());
        if (answer.statusCode() >= 300) {
            throw new IOException(answer.statusCode() + ": " + answer.body());
        }
        return answer;
    }
}
