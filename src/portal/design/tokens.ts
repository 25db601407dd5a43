/** Colours, space and type, light and dark. Text meets 4.5:1 and the edges of controls 3:1 on their grounds (WCAG 2.2, 1.4.3 and 1.4.11). */
export const tokens = `
:root {
  color-scheme: light dark;
  --ground: #f5f6f8;
  --surface: #ffffff;
  --sunken: #eef1f5;
  --text: #1a2330;
  --muted: #4d5a69;
  --line: #d8dee6;
  --edge: #738091;
  --accent: #0f5a9c;
  --accent-strong: #0a4579;
  --on-accent: #ffffff;
  --danger: #a3231b;
  --danger-strong: #7f1811;
  --on-danger: #ffffff;
  --info-ground: #e6f0fa;
  --info-text: #0b3d69;
  --good-ground: #e2f3e7;
  --good-text: #0f4d27;
  --warning-ground: #fdf2d3;
  --warning-text: #594100;
  --danger-ground: #fbe7e5;
  --danger-text: #7c1a13;
  --shadow: 0 1px 2px rgb(20 30 45 / 6%), 0 8px 24px rgb(20 30 45 / 6%);
  --font: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  --mono: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace;
  --space-1: 0.25rem;
  --space-2: 0.5rem;
  --space-3: 0.75rem;
  --space-4: 1rem;
  --space-5: 1.5rem;
  --space-6: 2rem;
  --space-7: 3rem;
  --radius: 0.625rem;
  --radius-small: 0.375rem;
  --target: 2.75rem;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #10151c;
    --surface: #19202a;
    --sunken: #212a36;
    --text: #e9eef4;
    --muted: #aab6c4;
    --line: #303b49;
    --edge: #7f8d9e;
    --accent: #86bdf5;
    --accent-strong: #b0d5fa;
    --on-accent: #06213c;
    --danger: #ff9d94;
    --danger-strong: #ffc1bb;
    --on-danger: #410906;
    --info-ground: #17304a;
    --info-text: #cbe3fb;
    --good-ground: #143524;
    --good-text: #bfe8cd;
    --warning-ground: #3a2f0d;
    --warning-text: #f6dd97;
    --danger-ground: #44191a;
    --danger-text: #ffcdc8;
    --shadow: none;
  }
}
`;
