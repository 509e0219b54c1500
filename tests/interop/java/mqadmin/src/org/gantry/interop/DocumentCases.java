package org.gantry.interop;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The table of docs/operations/mqadmin.md against the commands that there are and that this program ran. */
final class DocumentCases {
    private DocumentCases() { }

    static void add(Suite<Env> suite) {
        suite.add("mqadmin_table_of_commands", 30, DocumentCases::table);
    }

    private static void table(Env env) throws Exception {
        String file = System.getenv("INTEROP_MQADMIN_TABLE");
        Map<String, String> rows = new TreeMap<>();
        Matcher row = Pattern.compile("(?m)^\\| `(\\w+)` \\| [^|]* \\| (\\w+)").matcher(Files.readString(Path.of(file)));
        while (row.find()) {
            rows.put(row.group(1), row.group(2));
        }
        TreeSet<String> missing = new TreeSet<>(Tool.commands());
        missing.removeAll(rows.keySet());
        Check.that(missing.isEmpty(), "commands that the table lacks: " + missing);
        TreeSet<String> unproven = new TreeSet<>();
        for (String command : Tool.commands()) {
            if (rows.get(command).equals("works") && !Tool.RAN.contains(command)) {
                unproven.add(command);
            }
        }
        boolean all = System.getenv("INTEROP_ONLY") == null && System.getenv("INTEROP_SKIP") == null;
        Check.that(!all || unproven.isEmpty(), "commands that work by the table and did not run: " + unproven);
    }
}
