import { assertEquals } from "@std/assert";
import { exposition, type Family } from "./text.ts";

Deno.test("exposition() writes help, type and values, and leaves out what has none", () => {
  const families: Family[] = [
    { name: "a_total", kind: "counter", help: "A.", samples: [{ labels: {}, value: 1 }] },
    { name: "b", kind: "gauge", help: "B.", samples: [] },
    {
      name: "c",
      kind: "histogram",
      help: "C.",
      samples: [{ suffix: "_bucket", labels: { le: "+Inf" }, value: 2 }],
    },
  ];
  assertEquals(
    exposition(families),
    "# HELP a_total A.\n# TYPE a_total counter\na_total 1\n" +
      '# HELP c C.\n# TYPE c histogram\nc_bucket{le="+Inf"} 2\n',
  );
});

Deno.test("exposition() escapes what would end a line or a label, and writes numbers as the format has them", () => {
  const labels = { route: 'a"b\\c\nd' };
  const samples = [1e21, 0.1, Infinity, -Infinity, NaN].map((value) => ({ labels, value }));
  const text = exposition([{ name: "a", kind: "gauge", help: 'x\\y\nz"', samples }]);
  const label = '{route="a\\"b\\\\c\\nd"}';
  assertEquals(text.split("\n"), [
    '# HELP a x\\\\y\\nz"',
    "# TYPE a gauge",
    ...["1e+21", "0.1", "+Inf", "-Inf", "NaN"].map((value) => `a${label} ${value}`),
    "",
  ]);
});
