/* config.json: defaults, bounds, messages, and the way back. */
#include "model_support.h"

#include "model/config.h"

static void expect_refusal(const char *text, ecdc_status status, const char *part) {
    struct config config, untouched;
    memset(&config, 0x5a, sizeof config);
    untouched = config;
    ecdc_error err = {ECDC_OK, ""};
    ecdc_status got = config_parse("dir/config.json", text, strlen(text), &config, &err);
    if (got != status)
        fail_msg("%s gave %s (%s)", text, ecdc_status_name(got), err.message);
    assert_int_equal(err.status, status);
    assert_message(err, "dir/config.json");
    assert_message(err, part);
    assert_memory_equal(&config, &untouched, sizeof config);
}

static void defaults_are_the_published_24khz_model(void **state) {
    (void)state;
    struct config c = parse_config("{}");
    assert_int_equal(c.sampling_rate, 24000);
    assert_int_equal(c.audio_channels, 1);
    assert_int_equal(c.num_filters, 32);
    assert_int_equal(c.hidden_size, 128);
    assert_int_equal(c.codebook_dim, 128);
    assert_int_equal(c.codebook_size, 1024);
    assert_int_equal(c.n_ratios, 4);
    assert_int_equal(c.upsampling_ratios[0], 8);
    assert_int_equal(c.upsampling_ratios[3], 2);
    assert_int_equal(c.n_bandwidths, 5);
    assert_true(c.use_causal_conv && c.use_conv_shortcut && !c.normalize && !c.group_norm);
    assert_true(c.chunk_length_s == 0 && c.overlap == 0 && c.trim_right_ratio == 1);
    assert_int_equal(config_hop(&c), 320);
    assert_int_equal(config_frame_rate(&c), 75);
}

static void bandwidths_become_codebooks(void **state) {
    (void)state;
    static const struct { double kbps; int n; } table[] = {{1.5, 2}, {3, 4}, {6, 8}, {12, 16}, {24, 32}};
    struct config c = parse_config("{}");
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(config_n_codebooks(&c, table[i].kbps), table[i].n);
    assert_int_equal(config_n_codebooks(&c, 0.1), 1);
    c = parse_config("{\"sampling_rate\": 48000}");
    assert_int_equal(config_frame_rate(&c), 150);
    assert_int_equal(config_n_codebooks(&c, 24), 16);
    c = parse_config("{\"sampling_rate\": 44100}"); /* 137.8 frames per second, rounded up */
    assert_int_equal(config_frame_rate(&c), 138);
}

static void the_fixture_is_read(void **state) {
    (void)state;
    size_t n;
    char *text = read_fixture("tiny24/config.json", &n);
    struct config c = parse_config(text);
    assert_int_equal(c.num_filters, 4);
    assert_int_equal(c.hidden_size, 16);
    assert_int_equal(c.n_bandwidths, 3);
    free(text);
}

static void every_field_is_bounded(void **state) {
    (void)state;
    static const struct { const char *text, *part; } cases[] = {
        {"{\"num_filters\": 5000}", "num_filters is 5000; allowed is a whole number, 1 ... 1024"},
        {"{\"num_filters\": 0}", "num_filters is 0"},
        {"{\"num_filters\": 32.5}", "num_filters is 32.5"},
        {"{\"num_filters\": \"32\"}", "num_filters is \"32\""},
        {"{\"num_filters\": [32]}", "num_filters is a list"},
        {"{\"num_filters\": 1e999}", "num_filters is inf"},
        {"{\"hidden_size\": -1}", "hidden_size is -1"},
        {"{\"sampling_rate\": 999}", "1000 ... 384000"},
        {"{\"audio_channels\": 3}", "1 ... 2"},
        {"{\"codebook_size\": 1000}", "codebook_size is 1000; allowed is a power of two"},
        {"{\"codebook_dim\": 64}", "codebook_dim is 64; allowed is hidden_size, which is 128"},
        {"{\"kernel_size\": 32}", "1 ... 31"},
        {"{\"num_residual_layers\": 9}", "0 ... 8"},
        {"{\"num_lstm_layers\": 9}", "1 ... 8"},
        {"{\"dilation_growth_rate\": 17}", "1 ... 16"},
        {"{\"compress\": 33}", "compress is 33; allowed is at most num_filters, which is 32"},
        {"{\"upsampling_ratios\": []}", "upsampling_ratios is a list; allowed is a list of 1 ... 8"},
        {"{\"upsampling_ratios\": [1,1,1,1,1,1,1,1,1]}", "upsampling_ratios is a list"},
        {"{\"upsampling_ratios\": [8, 65]}", "upsampling_ratios holds 65"},
        {"{\"upsampling_ratios\": [64, 64, 64]}", "the product of upsampling_ratios is 262144"},
        {"{\"num_filters\": 1024, \"upsampling_ratios\": [2,2,2,2]}", "16384 channels; at most 8192"},
        {"{\"num_filters\": 1024, \"upsampling_ratios\": [64,2,2]}", "a convolution of"},
        {"{\"num_residual_layers\": 8, \"dilation_growth_rate\": 16}", "reaches back"},
        {"{\"target_bandwidths\": []}", "target_bandwidths is a list"},
        {"{\"target_bandwidths\": [3, 1.5]}", "target_bandwidths holds 1.5 as number 2"},
        {"{\"target_bandwidths\": [0]}", "target_bandwidths holds 0"},
        {"{\"target_bandwidths\": [10000]}", "codebooks; at most 256"},
        {"{\"model_type\": \"dac\"}", "model_type is \"dac\"; allowed is \"encodec\""},
        {"{\"pad_mode\": \"constant\"}", "pad_mode is \"constant\"; allowed is \"reflect\""},
        {"{\"norm_type\": \"batch\"}", "\"weight_norm\" or \"time_group_norm\""},
        {"{\"use_causal_conv\": 1}", "use_causal_conv is 1; allowed is true or false"},
        {"{\"trim_right_ratio\": 1.5}", "trim_right_ratio is 1.5"},
        {"{\"chunk_length_s\": 0}", "chunk_length_s is 0"},
        {"{\"chunk_length_s\": \"1\"}", "null or a number of seconds"},
        {"{\"overlap\": 1}", "overlap is 1"},
        {"{\"num_filters\": 4, \"num_filters\": 8}", "num_filters is given twice"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_refusal(cases[i].text, ECDC_E_MODEL, cases[i].part);
    expect_refusal("{\"trim_right_ratio\": 0.5}", ECDC_E_UNSUPPORTED, "trim_right_ratio is 0.5; only 1.0");
}

static void what_is_not_json_is_a_format_error(void **state) {
    (void)state;
    static const char *const texts[] = {"", "{", "nonsense", "{\"num_filters\": 32", "{\"1\":1,", "{} {}", "{\"a\"",
                                        "{\"num_filters\": 99999999999999999999999999999999999999999999999999999999999"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        expect_refusal(texts[i], ECDC_E_FORMAT, "not valid JSON");
    expect_refusal("[1]", ECDC_E_FORMAT, "is a list, not an object");
    expect_refusal("{\n\n  \"a\": 1,\n  x}", ECDC_E_FORMAT, "line 4");

    struct config config;
    ecdc_error err;
    assert_int_equal(config_parse("c", "{}\0x", 4, &config, &err), ECDC_E_FORMAT);
    assert_message(err, "byte 2 is zero");
}

static void hostile_json_is_refused(void **state) {
    (void)state;
    enum { DEPTH = 200000, VALUES = 3 << 20 };
    char *text = malloc(VALUES + 32);
    assert_non_null(text);
    memset(text, '[', DEPTH);
    memcpy(text, "{\"a\":", 5);
    text[DEPTH] = '\0';
    expect_refusal(text, ECDC_E_FORMAT, "nested too deeply");
    memcpy(text, "{\"a\":[1", 7);
    for (size_t i = 7; i + 1 < VALUES; i += 2)
        memcpy(text + i, ",1", 2);
    memcpy(text + VALUES - 1, "]}", 3);
    expect_refusal(text, ECDC_E_FORMAT, "more than 1048576 values");
    free(text);
}

static void null_means_default(void **state) {
    (void)state;
    struct config c = parse_config("{\"num_filters\": null, \"codebook_dim\": null, \"chunk_length_s\": null,"
                                   " \"overlap\": null, \"hidden_size\": 64, \"unknown\": {\"x\": [1]}}");
    assert_int_equal(c.num_filters, 32);
    assert_int_equal(c.codebook_dim, 64);
}

static void text_comes_back(void **state) {
    (void)state;
    static const char *const texts[] = {
        "{}",
        "{\"sampling_rate\": 48000, \"audio_channels\": 2, \"normalize\": true, \"chunk_length_s\": 1,"
        " \"overlap\": 0.01, \"use_causal_conv\": false, \"norm_type\": \"time_group_norm\","
        " \"target_bandwidths\": [3, 6.1, 12, 24]}",
        SMALL_CONFIG(", \"use_conv_shortcut\": false, \"num_lstm_layers\": 1, \"compress\": 1"),
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct config c = parse_config(texts[i]);
        char *text = config_text(&c);
        assert_non_null(text);
        struct config back = parse_config(text);
        assert_memory_equal(&c, &back, sizeof c);
        assert_non_null(strstr(text, "\"dtype\":\t\"float32\""));
        free(text);
    }
    struct config c = parse_config("{\"target_bandwidths\": [3, 24]}");
    char *text = config_text(&c);
    assert_non_null(strstr(text, "[3.0, 24.0]")); /* transformers tells floats from integers */
    assert_non_null(strstr(text, "\"chunk_length_s\":\tnull"));
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_the_published_24khz_model),
        cmocka_unit_test(bandwidths_become_codebooks),
        cmocka_unit_test(the_fixture_is_read),
        cmocka_unit_test(every_field_is_bounded),
        cmocka_unit_test(what_is_not_json_is_a_format_error),
        cmocka_unit_test(hostile_json_is_refused),
        cmocka_unit_test(null_means_default),
        cmocka_unit_test(text_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
