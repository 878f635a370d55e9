// Transmet un fichier, ou reçoit et confirme ce qui attend. / Sends a file, or receives and confirms what waits.
//
//   PASSERELLE_API=http://127.0.0.1:7450 PASSERELLE_TOKEN_FILE=/var/lib/passerelle-agent/local.token \
//     java Exchange.java send avis.pdf ENT-2026-001
//   … java Exchange.java receive /srv/recus
//
// Java 11 et plus, sans autre bibliothèque. / Java 11 or later, no other library.

import java.io.IOException;
import java.net.ProxySelector;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Set;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Les champs lus ici sont de simples chaînes; prenez votre bibliothèque JSON. / Take your JSON library. */
public final class Exchange {
    private static final Set<String> FINAL = Set.of("delivered", "denied", "refused", "expired");
    private static final Pattern ID = Pattern.compile("\"exchange_id\":\"([0-9a-f-]{36})\"");

    private final String api = System.getenv().getOrDefault("PASSERELLE_API", "http://127.0.0.1:7450");
    private final String token;
    // Ni mandataire ni HTTP/2 pour ce qui est sur cette machine. / No proxy and no HTTP/2 for what is on this machine.
    private final HttpClient client = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .proxy(ProxySelector.of(null))
            .connectTimeout(Duration.ofSeconds(10))
            .build();

    private Exchange() throws IOException {
        token = Files.readString(Path.of(System.getenv("PASSERELLE_TOKEN_FILE"))).strip();
    }

    private HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(URI.create(api + path))
                .header("Authorization", "Bearer " + token)
                .timeout(Duration.ofSeconds(150));
    }

    private String ask(HttpRequest request) throws IOException, InterruptedException {
        HttpResponse<String> answer = client.send(request, BodyHandlers.ofString());
        if (answer.statusCode() / 100 != 2) {
            // Le corps dit quoi faire. / The body says what to do.
            throw new IOException(answer.statusCode() + " " + answer.body());
        }
        return answer.body();
    }

    private static String field(String json, String name) throws IOException {
        Matcher found = Pattern.compile("\"" + name + "\":\"([^\"]*)\"").matcher(json);
        if (!found.find()) {
            throw new IOException(name + " ? " + json);
        }
        return found.group(1);
    }

    private boolean send(Path file, String agreement) throws IOException, InterruptedException {
        // La même clé, la même demande : gardez-la avec le fichier. / The same key: keep it with the file.
        String key = agreement + "/" + UUID.nameUUIDFromBytes(Files.readAllBytes(file));
        String name = URLEncoder.encode(file.getFileName().toString(), StandardCharsets.UTF_8).replace("+", "%20");
        String answer = ask(request("/v1/records")
                .header("Content-Type", "application/octet-stream")
                .header("Passerelle-Agreement", agreement)
                .header("Passerelle-Data-Categories", "identification")
                .header("Passerelle-File-Name", name)
                .header("Idempotency-Key", key)
                .POST(HttpRequest.BodyPublishers.ofFile(file))
                .build());
        String id = field(answer, "exchange_id");
        String state = field(answer, "state");
        for (int i = 0; i < 20 && !FINAL.contains(state); i++) {
            state = field(ask(request("/v1/records/" + id + "?wait=30").build()), "state");
        }
        System.out.println(id + " " + state);
        return state.equals("delivered");
    }

    private boolean receive(Path folder) throws IOException, InterruptedException {
        Matcher ids = ID.matcher(ask(request("/v1/inbox?wait=30&limit=100").build()));
        while (ids.find()) {
            String id = ids.group(1);
            Path part = folder.resolve(id + ".part");
            HttpResponse<Path> answer =
                    client.send(request("/v1/inbox/" + id + "/content").build(), BodyHandlers.ofFile(part));
            long length = answer.headers().firstValueAsLong("Content-Length").orElse(-1);
            // Plus court qu'annoncé : non vérifié. / Shorter than announced: not verified.
            if (answer.statusCode() != 200 || Files.size(part) != length) {
                throw new IOException(id + " " + answer.statusCode());
            }
            try (FileChannel channel = FileChannel.open(part, StandardOpenOption.WRITE)) {
                channel.force(true);
            }
            Files.move(part, folder.resolve(id), StandardCopyOption.ATOMIC_MOVE);
            ask(request("/v1/inbox/" + id + "/confirm").POST(HttpRequest.BodyPublishers.noBody()).build());
            System.out.println(id);
        }
        return true;
    }

    public static void main(String[] arguments) throws Exception {
        boolean done;
        if (arguments.length == 3 && arguments[0].equals("send")) {
            done = new Exchange().send(Path.of(arguments[1]), arguments[2]);
        } else if (arguments.length == 2 && arguments[0].equals("receive")) {
            done = new Exchange().receive(Path.of(arguments[1]));
        } else {
            System.err.println("send FICHIER ENTENTE | receive DOSSIER");
            done = false;
        }
        System.exit(done ? 0 : 1);
    }
}
