import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.rocketmq.filter.expression.EvaluationContext;
import org.apache.rocketmq.filter.expression.Expression;
import org.apache.rocketmq.filter.parser.SelectorParser;

/**
 * Asks RocketMQ's own filter library: writes a table of expressions, properties and answers that recorded_test.cpp compares with. See README.md.
 *
 * Arguments: SEED COUNT [FILE]. FILE has expressions, one a line in the table's escapes, each recorded with several sets of properties; then
 * COUNT random expressions follow. A line of the table: answer, expression, then names and values of properties, all separated by tabs; \t \n \r \f \\ are
 * escaped. Answers: T true, F false, N null, E evaluating throws, R refused.
 */
public final class Recorder {
    private static final String[] NAMES = {"a", "b", "c", "TAGS", "_x", "$d1"};
    private static final String[] VALUES = {
        "1", "2", "5", "-3", "+7", "007", "0", "-0", "2147483647", "2147483648", "-2147483648", "9223372036854775807", "9223372036854775808", "1.5", "-0.0", "0.0", "5.0", "5.", ".5",
        "1e3", "1E-400", "1e400", "-1e400", "0e999", "NaN", "-NaN", "Infinity", "-Infinity", "infinity", "0x1p3", "0x1.8P1", "0x10", "1f", "1.5D", "1L", " 5", "5 ", " 1.5\t", "1_000", "--1", "+", "-", ".", "e5",
        "1e", "1e+", "0x", "x", "xy", "yx", "red", "RED", "蓝", "true", "TRUE", "True", "false", "it's", "''", "null", "a b", "5\n"};
    private static final String[] LITERALS = {
        "1", "2", "5", "0", "7", "10L", "5l", "2147483647", "2147483648", "9223372036854775807", "9223372036854775808", "1.5", "5.0", "5.", ".5", "1e3", "2E-3", "1e400", "0.0", "007", "0.5e1", "0L"};
    private static final String[] TEXTS = {"'x'", "'xy'", "'y'", "'red'", "'蓝'", "'1'", "'5'", "''", "'it''s'", "''''", "'true'", "'TRUE'", "'NaN'"};
    private static final String[] JUNK = {
        "(", ")", ",", "NOT", "AND", "OR", "IS", "NULL", "=", "<>", "<", ">", "<=", ">=", "+", "-", "IN", "BETWEEN", "CONTAINS", "STARTSWITH", "ENDSWITH", "'", "!", "!=", "==", "a", "5", "'x'", "TRUE", "/* c */",
        "--", "-- c\n", "/*", ";", ".", "e", "[", "LIKE", "1a", "a.b", "\u00a0", "\u000b"};
    private final Random random;
    private final PrintStream out;
    private int depth;

    private Recorder(long seed, PrintStream out) {
        this.random = new Random(seed);
        this.out = out;
    }

    public static void main(String[] args) throws Exception {
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        Recorder recorder = new Recorder(Long.parseLong(args[0]), out);
        if (args.length > 2) {
            for (String line : Files.readAllLines(Path.of(args[2]))) {
                if (!line.startsWith("#") && !line.isEmpty()) {
                    String expression = unescape(line);
                    recorder.record(expression, Map.of());
                    for (int i = 0; i < 4; i++) {
                        recorder.record(expression, recorder.properties());
                    }
                }
            }
        }
        for (int i = 0; i < Integer.parseInt(args[1]); i++) {
            String expression = recorder.expression();
            for (int k = 0; k < 2; k++) {
                recorder.record(expression, recorder.properties());
            }
        }
        out.flush();
    }

    private void record(String text, Map<String, String> properties) {
        StringBuilder line = new StringBuilder();
        line.append(answer(text, properties)).append('\t').append(escape(text));
        properties.forEach((k, v) -> line.append('\t').append(escape(k)).append('\t').append(escape(v)));
        out.append(line).append('\n');
    }

    private static char answer(String text, Map<String, String> properties) {
        Expression expression;
        try {
            expression = SelectorParser.parse(text);
        } catch (Throwable e) {
            return 'R';
        }
        Object value;
        try {
            value = expression.evaluate(new EvaluationContext() {
                @Override
                public Object get(String name) {
                    return properties.get(name);
                }

                @Override
                public Map<String, Object> keyValues() {
                    return new HashMap<>(properties);
                }
            });
        } catch (Throwable e) {
            return 'E';
        }
        return value == null ? 'N' : Boolean.TRUE.equals(value) ? 'T' : Boolean.FALSE.equals(value) ? 'F' : '?';
    }

    private Map<String, String> properties() {
        Map<String, String> map = new LinkedHashMap<>();
        for (String name : NAMES) {
            if (random.nextInt(3) != 0) {
                map.put(name, pick(VALUES));
            }
        }
        return map;
    }

    private String pick(String[] from) {
        return from[random.nextInt(from.length)];
    }

    /** Mostly of the grammar; one of three with something taken out, put in or doubled. */
    private String expression() {
        depth = 0;
        List<String> words = new ArrayList<>();
        or(words);
        if (random.nextInt(3) == 0) {
            for (int n = 1 + random.nextInt(2); n > 0; n--) {
                int at = random.nextInt(words.size() + 1);
                switch (random.nextInt(3)) {
                    case 0:
                        words.add(at, pick(JUNK));
                        break;
                    case 1:
                        if (at < words.size() && words.size() > 1) {
                            words.remove(at);
                        }
                        break;
                    default:
                        if (at < words.size()) {
                            words.add(at, words.get(random.nextInt(words.size())));
                        }
                }
            }
        }
        StringBuilder text = new StringBuilder();
        for (String word : words) {
            boolean glued = text.length() == 0 || random.nextInt(6) == 0;
            text.append(glued ? "" : random.nextInt(12) == 0 ? "\n" : " ").append(random.nextInt(8) == 0 ? word.toLowerCase() : word);
        }
        return text.toString();
    }

    private void or(List<String> words) {
        depth++;
        for (int n = 1 + (depth < 4 ? random.nextInt(3) / 2 : 0); n > 0; n--) {
            and(words);
            if (n > 1) {
                words.add("OR");
            }
        }
        depth--;
    }

    private void and(List<String> words) {
        for (int n = 1 + (depth < 4 ? random.nextInt(3) / 2 : 0); n > 0; n--) {
            term(words);
            if (n > 1) {
                words.add("AND");
            }
        }
    }

    private void term(List<String> words) {
        switch (random.nextInt(14)) {
            case 0: case 1:
                words.addAll(List.of(pick(NAMES), pick(new String[] {"=", "<>"}), pick(TEXTS)));
                break;
            case 2: case 3: case 4:
                words.addAll(List.of(pick(NAMES), pick(new String[] {"=", "<>", "<", "<=", ">", ">="}), pick(LITERALS)));
                break;
            case 5:
                words.addAll(List.of(pick(NAMES), "IS"));
                if (random.nextBoolean()) {
                    words.add("NOT");
                }
                words.add("NULL");
                break;
            case 6:
                words.add(pick(NAMES));
                not(words);
                words.add("BETWEEN");
                operand(words);
                words.add("AND");
                operand(words);
                break;
            case 7:
                words.add(pick(NAMES));
                not(words);
                words.addAll(List.of("IN", "(", pick(TEXTS)));
                for (int n = random.nextInt(7); n > 0; n--) {
                    words.addAll(List.of(",", pick(TEXTS)));
                }
                words.add(")");
                break;
            case 8:
                operand(words);
                not(words);
                words.addAll(List.of(pick(new String[] {"CONTAINS", "STARTSWITH", "ENDSWITH"}), pick(TEXTS)));
                break;
            case 9:
                operand(words);
                words.add(pick(new String[] {"=", "<>", "<", "<=", ">", ">="}));
                operand(words);
                break;
            case 10:
                operand(words);
                words.addAll(List.of("IS", "NULL"));
                break;
            case 11:
                words.add("NOT");
                parenthesis(words);
                break;
            case 12:
                words.add(pick(new String[] {"TRUE", "FALSE", "NULL", "a", "b"}));
                break;
            default:
                parenthesis(words);
        }
    }

    private void not(List<String> words) {
        if (random.nextInt(3) == 0) {
            words.add("NOT");
        }
    }

    private void parenthesis(List<String> words) {
        words.add("(");
        if (depth < 4) {
            or(words);
        } else {
            words.add(pick(NAMES));
        }
        words.add(")");
    }

    private void operand(List<String> words) {
        if (random.nextInt(6) == 0) {
            words.add(pick(new String[] {"-", "+", "NOT", "- -"}));
        }
        switch (random.nextInt(8)) {
            case 0: case 1: case 2:
                words.add(pick(NAMES));
                break;
            case 3: case 4:
                words.add(pick(LITERALS));
                break;
            case 5:
                words.add(pick(TEXTS));
                break;
            case 6:
                words.add(pick(new String[] {"TRUE", "FALSE", "NULL"}));
                break;
            default:
                parenthesis(words);
        }
    }

    private static String escape(String text) {
        return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r").replace("\f", "\\f");
    }

    private static String unescape(String text) {
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '\\') {
                c = text.charAt(++i);
                c = c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c == 'f' ? '\f' : c;
            }
            out.append(c);
        }
        return out.toString();
    }
}
