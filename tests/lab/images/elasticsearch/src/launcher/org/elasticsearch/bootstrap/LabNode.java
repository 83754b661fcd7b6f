// SPDX-License-Identifier: GPL-3.0-or-later
package org.elasticsearch.bootstrap;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.PluginsLoader;

/**
 * One node in this process, from the class path. The distribution's launcher is not published; it would also demand kernel settings that
 * a test machine need not have. In this package because the initialisation of native code is visible only here.
 */
public final class LabNode {
    private LabNode() {}

    public static void main(String[] arguments) throws Exception {
        Path home = Path.of(System.getProperty("es.path.home"));
        Path config = Path.of(System.getProperty("es.path.conf"));
        LogConfigurator.registerErrorListener();
        BootstrapInfo.init();

        Environment environment = InternalSettingsPreparer.prepareEnvironment(settings(home, config, arguments), Map.of(), config, LabNode::hostName);
        LogConfigurator.setNodeName(Node.NODE_NAME_SETTING.get(environment.settings()));
        LogConfigurator.configure(environment, true);
        Elasticsearch.initializeNatives(environment.tmpDir(), false, false, false);
        Elasticsearch.initializeProbes();

        Node node = new Node(environment, loader(environment));
        CountDownLatch stopped = closeAtExit(node);
        node.start();
        if (System.getenv("LAB_RECORD_CLASSES") != null) {
            System.exit(0);
        }
        stopped.await();
    }

    /** The mounted file, then the arguments; elasticsearch.yml is read by the preparer and yields to both. */
    private static Settings settings(Path home, Path config, String[] arguments) throws Exception {
        Settings.Builder settings = Settings.builder().put("path.home", home.toString());
        Path mounted = config.resolve("my_elasticsearch.yml");
        if (Files.exists(mounted)) {
            settings.loadFromPath(mounted);
        }
        for (String argument : arguments) {
            int equals = argument.indexOf('=');
            if (argument.startsWith("-E") && equals > 0) {
                settings.put(argument.substring(2, equals), argument.substring(equals + 1));
            }
        }
        return settings.build();
    }

    private static String hostName() {
        return System.getenv().getOrDefault("HOSTNAME", "lab");
    }

    private static PluginsLoader loader(Environment environment) {
        // false: on the class path there are no Java modules whose exports could be opened to plugins.
        return PluginsLoader.createPluginsLoader(
            PluginsLoader.loadModulesBundles(environment.modulesDir()),
            PluginsLoader.loadPluginsBundles(environment.pluginsDir()),
            Map.of(),
            false
        );
    }

    private static CountDownLatch closeAtExit(Node node) {
        CountDownLatch stopped = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try (node) {
                stopped.countDown();
            } catch (Exception error) {
                error.printStackTrace();
            }
        }));
        return stopped;
    }
}
