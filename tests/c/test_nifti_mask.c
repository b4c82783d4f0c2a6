/* Masks and series, on scans small enough to be worked out by hand. */
#include "media_files.h"

#include <math.h>

#include "fmri/deviation.h"

static ecdc_error err;

enum { X = 2, Y = 3, Z = 2, N = X * Y * Z, T = 4 };

static const ecdc_nifti_space space = {X, Y, Z, {2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1}, 1};

/* Voxel v of the file goes up and down by amplitude[v] around 1000 + v; its deviation is the amplitude. */
static const char *make_scan(const char *name, const float *amplitude, const ecdc_nifti_space *where,
                             float (*change)(int tr, int v, float x)) {
    ecdc_nifti_settings s = ecdc_default_nifti_settings();
    ecdc_nifti_writer *writer;
    const char *path = in_scratch(name);
    s.space = *where;
    s.n_trs = T;
    s.tr_s = 1.5;
    s.overwrite = 1;
    assert_ok(ecdc_nifti_writer_new(path, &s, &writer, &err), &err);
    for (int tr = 0; tr < T; tr++) {
        float volume[N];
        for (int v = 0; v < N; v++) {
            float x = (float)(1000 + v) + (tr % 2 ? amplitude[v] : -amplitude[v]);
            volume[v] = change ? change(tr, v, x) : x;
        }
        assert_ok(ecdc_nifti_write(writer, volume, &err), &err);
    }
    assert_ok(ecdc_nifti_writer_finish(writer, &err), &err);
    ecdc_nifti_writer_free(writer);
    return path;
}

static const float rising[N] = {0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, falling[N] = {10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0};

static void test_percentile(void **state) {
    (void)state;
    double one[] = {5}, some[] = {4, 1, 3, 2}, many[] = {11, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    assert_true(percentile(one, 1, 10) == 5);
    assert_true(fabs(percentile(some, 4, 10) - 1.3) < 1e-15);
    assert_true(percentile(some, 4, 0) == 1 && percentile(some, 4, 100) == 4 && percentile(some, 4, 50) == 2.5);
    assert_true(percentile(many, 11, 10) == 2);
}

static void test_vote(void **state) {
    (void)state;
    const char *paths[] = {make_scan("a.nii", rising, &space, NULL), make_scan("b.nii.gz", falling, &space, NULL),
                           make_scan("c.nii", rising, &space, NULL)};
    for (int n_threads = 1; n_threads <= 3; n_threads++) {
        ecdc_scan_settings settings = ecdc_default_scan_settings();
        ecdc_mask_vote votes[3];
        ecdc_mask *mask;
        settings.n_threads = n_threads;
        assert_ok(ecdc_mask_share(paths, 3, &settings, &mask, votes, &err), &err);
        assert_true(fabs(votes[0].threshold - 1.9) < 1e-12 && votes[0].n_voxels == 9 && votes[0].n_constant == 2 && votes[0].n_trs == T);
        /* two of three: the rising ones' voxels 3 ... 11 */
        assert_int_equal(ecdc_mask_voxels(mask), 9);
        uint8_t array[N];
        ecdc_mask_array(mask, array);
        for (int i = 0, at = 0; i < X; i++)
            for (int j = 0; j < Y; j++)
                for (int k = 0; k < Z; k++, at++)
                    assert_int_equal(array[at], i + X * (j + Y * k) >= 3);
        ecdc_mask_free(mask);
    }
    ecdc_mask *mask; /* half of two is one: all that vary enough in either */
    assert_ok(ecdc_mask_share(paths, 2, NULL, &mask, NULL, &err), &err);
    assert_int_equal(ecdc_mask_voxels(mask), N);
    ecdc_mask_free(mask);
}

static float spoil(int tr, int v, float x) {
    return v == 5 && tr == 2 ? NAN : v == 6 ? INFINITY : v == 7 && tr == 0 ? -INFINITY : x;
}

static void test_order_and_series(void **state) {
    (void)state;
    uint8_t array[N] = {0};
    array[(0 * Y + 2) * Z + 1] = array[(1 * Y + 0) * Z + 0] = array[(1 * Y + 0) * Z + 1] = 1;
    ecdc_mask *mask, *again;
    assert_ok(ecdc_mask_new(&space, array, &mask, &err), &err);
    int64_t coordinates[9];
    const int64_t wanted[9] = {0, 2, 1, 1, 0, 0, 1, 0, 1};
    ecdc_mask_coordinates(mask, coordinates);
    assert_memory_equal(coordinates, wanted, sizeof wanted);
    assert_ok(ecdc_mask_save(mask, in_scratch("m.nii.gz"), 0, &err), &err);
    assert_fails(ecdc_mask_save(mask, in_scratch("m.nii.gz"), 0, &err), ECDC_E_EXISTS, &err, "m.nii.gz");
    assert_ok(ecdc_mask_open(in_scratch("m.nii.gz"), &again, &err), &err);
    uint8_t back[N];
    ecdc_mask_array(again, back);
    assert_memory_equal(back, array, N);

    ecdc_nifti *nifti;
    float series[T * 3];
    assert_ok(ecdc_nifti_open(make_scan("s.nii", rising, &space, NULL), &nifti, &err), &err);
    ecdc_extraction report;
    assert_ok(ecdc_nifti_extract(nifti, again, NULL, series, &report, &err), &err);
    const int places[] = {10, 1, 7};
    for (int tr = 0; tr < T; tr++)
        for (int v = 0; v < 3; v++)
            assert_true(series[tr * 3 + v] == (float)(1000 + places[v]) + (tr % 2 ? 1 : -1) * rising[places[v]]);
    assert_true(report.n_trs == T && report.n_constant == 1 && report.n_not_finite == 0);
    assert_fails(ecdc_nifti_extract(nifti, again, NULL, series, NULL, &err), ECDC_E_ARGUMENT, &err, "has been read from");
    ecdc_nifti_close(nifti);
    ecdc_mask_free(mask);
    ecdc_mask_free(again);
}

static void test_not_finite(void **state) {
    (void)state;
    const char *path = make_scan("s.nii", rising, &space, spoil);
    ecdc_mask *mask;
    ecdc_mask_vote vote;
    assert_ok(ecdc_mask_share(&path, 1, NULL, &mask, &vote, &err), &err);
    assert_true(vote.n_not_finite == 3 && vote.n_constant == 2);
    assert_true(vote.n_voxels == 6); /* of the deviations 1 2 3 7 8 9 10 those above 1.6 */
    ecdc_mask_free(mask);

    uint8_t all[N];
    memset(all, 1, N);
    assert_ok(ecdc_mask_new(&space, all, &mask, &err), &err);
    for (int zscore = 0; zscore < 2; zscore++) {
        float series[T * N];
        ecdc_nifti *nifti;
        ecdc_extraction report;
        ecdc_scan_settings settings = ecdc_default_scan_settings();
        settings.zscore = zscore;
        assert_ok(ecdc_nifti_open(path, &nifti, &err), &err);
        assert_ok(ecdc_nifti_extract(nifti, mask, &settings, series, &report, &err), &err);
        ecdc_nifti_close(nifti);
        assert_true(report.n_not_finite == 6 && report.n_voxels_not_finite == 3 && report.n_constant == 3);
        for (int v = 0; v < N; v++) {
            int place = v / (Y * Z) + X * (v / Z % Y + Y * (v % Z));
            float low = (float)(1000 + place) - rising[place], high = (float)(1000 + place) + rising[place];
            double raw[T] = {low, high, low, high};
            if (place == 5)
                raw[2] = ((double)low + high + high) / 3;
            if (place == 6)
                raw[0] = raw[1] = raw[2] = raw[3] = 0;
            if (place == 7)
                raw[0] = ((double)high + low + high) / 3;
            double mean = (raw[0] + raw[1] + raw[2] + raw[3]) / T;
            double n = place == 5 || place == 7 ? 3 : T, squares = 0;
            for (int tr = 0; tr < T; tr++)
                squares += (raw[tr] - mean) * (raw[tr] - mean);
            double deviation = squares > 0 ? sqrt(squares / n) : 1;
            for (int tr = 0; tr < T; tr++) {
                double wanted = zscore ? (raw[tr] - mean) / deviation : raw[tr];
                assert_true(fabs(series[tr * N + v] - wanted) <= 1e-6 * fmax(1, fabs(wanted)));
            }
        }
    }
    ecdc_mask_free(mask);
}

static float flat(int tr, int v, float x) {
    (void)tr, (void)v, (void)x;
    return 1;
}

static int stop_at_once(void *context) {
    (void)context;
    return 1;
}

static void test_refusals(void **state) {
    (void)state;
    ecdc_nifti_space wider = space, moved = space, close = space;
    wider.x = 1;
    wider.y = 2 * Y;
    moved.affine[3] = 0.5;
    close.affine[3] = 0.01;
    const char *a = make_scan("a.nii", rising, &space, NULL), *shape = make_scan("shape.nii", rising, &wider, NULL),
               *place = make_scan("place.nii", rising, &moved, NULL), *near = make_scan("near.nii", rising, &close, NULL),
               *dead = make_scan("dead.nii", rising, &space, flat);
    ecdc_mask *mask = NULL;
    assert_fails(ecdc_mask_share((const char *[]){a, shape}, 2, NULL, &mask, NULL, &err), ECDC_E_FORMAT, &err,
                 "shape.nii: has 1 x 6 x 2 voxels, ");
    assert_fails(ecdc_mask_share((const char *[]){a, place}, 2, NULL, &mask, NULL, &err), ECDC_E_FORMAT, &err,
                 "voxel (0, 0, 0) lies at (0.5, 0, 0), there at (0, 0, 0); resample them");
    assert_fails(ecdc_mask_share((const char *[]){dead}, 1, NULL, &mask, NULL, &err), ECDC_E_FORMAT, &err,
                 "dead.nii: no voxel varies over the first 4 TRs (12 are constant");
    assert_fails(ecdc_mask_share((const char *[]){a}, 0, NULL, &mask, NULL, &err), ECDC_E_ARGUMENT, &err, "1 scan or more");
    ecdc_scan_settings settings = ecdc_default_scan_settings();
    settings.mask_percentile = 101;
    assert_fails(ecdc_mask_share((const char *[]){a}, 1, &settings, &mask, NULL, &err), ECDC_E_ARGUMENT, &err, "mask_percentile is 101");
    settings.mask_percentile = 100;
    assert_fails(ecdc_mask_share((const char *[]){a}, 1, &settings, &mask, NULL, &err), ECDC_E_FORMAT, &err, "the mask is empty");
    settings = ecdc_default_scan_settings();
    settings.stop = stop_at_once;
    assert_fails(ecdc_mask_share((const char *[]){a, near}, 2, &settings, &mask, NULL, &err), ECDC_E_STOPPED, &err, "stopped");
    assert_null(mask);
    assert_ok(ecdc_mask_share((const char *[]){a, near}, 2, NULL, &mask, NULL, &err), &err); /* half a percent of a voxel */

    assert_ok(ecdc_mask_save(mask, in_scratch("m.nii"), 0, &err), &err);
    assert_fails(ecdc_mask_share((const char *[]){in_scratch("m.nii")}, 1, NULL, &mask, NULL, &err), ECDC_E_FORMAT, &err,
                 "m.nii: holds one volume (3 dimensions); a series");
    ecdc_mask *other = NULL;
    assert_fails(ecdc_mask_open(a, &other, &err), ECDC_E_FORMAT, &err, "a.nii: holds 4 volumes, a mask is one");
    uint8_t none[N] = {0};
    assert_fails(ecdc_mask_new(&space, none, &other, &err), ECDC_E_ARGUMENT, &err, "the mask is empty, no voxel of 12 counts");

    float series[(T + 1) * N];
    ecdc_nifti *nifti;
    settings = ecdc_default_scan_settings();
    settings.n_trs = T + 1;
    assert_ok(ecdc_nifti_open(a, &nifti, &err), &err);
    assert_fails(ecdc_nifti_extract(nifti, mask, &settings, series, NULL, &err), ECDC_E_FORMAT, &err,
                 "a.nii: has 4 TRs, 5 are asked for");
    ecdc_nifti_close(nifti);
    assert_ok(ecdc_nifti_open(place, &nifti, &err), &err);
    assert_fails(ecdc_nifti_extract(nifti, mask, NULL, series, NULL, &err), ECDC_E_FORMAT, &err, "the affine differs from that of the mask");
    ecdc_nifti_close(nifti);
    ecdc_mask_free(mask);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_percentile), cmocka_unit_test(test_vote), cmocka_unit_test(test_order_and_series),
        cmocka_unit_test(test_not_finite), cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
