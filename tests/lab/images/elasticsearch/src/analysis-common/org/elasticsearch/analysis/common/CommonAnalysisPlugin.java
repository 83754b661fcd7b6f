// SPDX-License-Identifier: GPL-3.0-or-later
package org.elasticsearch.analysis.common;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.core.LowerCaseFilter;
import org.apache.lucene.analysis.snowball.SnowballFilter;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.index.analysis.AbstractTokenFilterFactory;
import org.elasticsearch.index.analysis.NormalizingTokenFilterFactory;
import org.elasticsearch.index.analysis.PreConfiguredTokenFilter;
import org.elasticsearch.index.analysis.TokenFilterFactory;
import org.elasticsearch.indices.analysis.AnalysisModule.AnalysisProvider;
import org.elasticsearch.plugins.AnalysisPlugin;
import org.elasticsearch.plugins.Plugin;

/** What index templates need of the analysis-common module, which is in no registry. */
public class CommonAnalysisPlugin extends Plugin implements AnalysisPlugin {
    @Override
    public Map<String, AnalysisProvider<TokenFilterFactory>> getTokenFilters() {
        return Map.of(
            "snowball", (index, environment, name, settings) -> new Snowball(name, settings),
            "lowercase", (index, environment, name, settings) -> new Lowercase(name, settings)
        );
    }

    @Override
    public List<PreConfiguredTokenFilter> getPreConfiguredTokenFilters() {
        return List.of(PreConfiguredTokenFilter.singleton("snowball", false, input -> new SnowballFilter(input, "English")));
    }

    private static final class Snowball extends AbstractTokenFilterFactory {
        private final String language;

        Snowball(String name, Settings settings) {
            super(name, settings);
            String given = settings.get("language", settings.get("name", "English"));
            language = given.substring(0, 1).toUpperCase(Locale.ROOT) + given.substring(1);
        }

        @Override
        public TokenStream create(TokenStream input) {
            return new SnowballFilter(input, language);
        }
    }

    private static final class Lowercase extends AbstractTokenFilterFactory implements NormalizingTokenFilterFactory {
        Lowercase(String name, Settings settings) {
            super(name, settings);
        }

        @Override
        public TokenStream create(TokenStream input) {
            return new LowerCaseFilter(input);
        }
    }
}
