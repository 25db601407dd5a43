/** One block for each component of this folder. */
export const parts = `
.skip { position: absolute; left: -999rem; top: var(--space-2); padding: var(--space-3) var(--space-4); background: var(--surface); }
.skip:focus { left: var(--space-2); z-index: 1; }

.top { background: var(--surface); border-bottom: 1px solid var(--line); }
.top-row, .main, .foot { width: 100%; max-width: 64rem; margin: 0 auto; padding-left: var(--space-4); padding-right: var(--space-4); }
.top-row { display: flex; flex-wrap: wrap; align-items: center; gap: var(--space-1) var(--space-5); min-height: 3.75rem; max-width: 80rem; }
.brand {
  display: inline-flex; align-items: center; gap: var(--space-2); min-height: var(--target);
  color: var(--text); font-weight: 650; text-decoration: none;
}
.brand:hover { color: var(--text); }
.brand svg { color: var(--accent); }
.nav ul { display: flex; flex-wrap: wrap; gap: var(--space-1); list-style: none; padding: 0; }
.nav a {
  display: inline-flex; align-items: center; min-height: var(--target); padding: 0 var(--space-3);
  border-radius: var(--radius-small); color: var(--muted); text-decoration: none;
}
.nav a:hover { background: var(--sunken); color: var(--text); }
.nav a[aria-current] { color: var(--text); font-weight: 600; background: var(--sunken); }
.who { display: flex; align-items: center; gap: var(--space-3); margin-left: auto; min-width: 0; color: var(--muted); }
.who bdi { max-width: 16rem; min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.who .button { white-space: nowrap; }
@media (min-width: 60rem) {
  .top-row { flex-wrap: nowrap; column-gap: var(--space-3); }
  .brand, .nav { flex: none; }
}
@media (min-width: 70rem) { .top-row { column-gap: var(--space-5); } }
@media (min-width: 60rem) and (max-width: 70rem) { .nav ul { gap: 0; } .nav a { padding: 0 var(--space-2); } }

.main { flex: 1; padding-top: var(--space-6); padding-bottom: var(--space-7); }
.main-narrow { max-width: 38rem; }
.foot { padding-top: var(--space-4); padding-bottom: var(--space-5); color: var(--muted); font-size: 0.875rem; }
.stack { display: flex; flex-direction: column; gap: var(--space-4); }
.stack-wide { gap: var(--space-5); }
.stack-tight { gap: var(--space-1); }
.row { display: flex; flex-wrap: wrap; align-items: center; gap: var(--space-2) var(--space-3); }
.spread { justify-content: space-between; }
.muted { color: var(--muted); }
.small { font-size: 0.875rem; }
.lead { font-size: 1.0625rem; }

.card {
  background: var(--surface); border: 1px solid var(--line); border-radius: var(--radius); box-shadow: var(--shadow);
  padding: var(--space-5);
}
@media (min-width: 40rem) { .main-narrow > .card { padding: var(--space-6); } }

.button {
  display: inline-flex; align-items: center; justify-content: center; min-height: var(--target); min-width: var(--target);
  padding: var(--space-2) var(--space-4); border: 1px solid var(--edge); border-radius: var(--radius-small);
  background: var(--surface); color: var(--text); font: inherit; font-weight: 600; line-height: 1.3;
  text-align: center; text-decoration: none; cursor: pointer;
}
.button:hover { background: var(--sunken); color: var(--text); }
.button-primary { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
.button-primary:hover { background: var(--accent-strong); border-color: var(--accent-strong); color: var(--on-accent); }
.button-danger { border-color: var(--danger); color: var(--danger); }
.button-danger:hover { background: var(--danger); color: var(--on-danger); }
.button-quiet { border-color: transparent; background: transparent; color: var(--accent); text-decoration: underline; text-underline-offset: 0.2em; }
.button-quiet:hover { background: var(--sunken); color: var(--accent-strong); }
.button-inline { padding-left: 0; padding-right: 0; }
.button-inline:hover { background: none; }
.actions { display: flex; flex-wrap: wrap; gap: var(--space-3); }
.actions-even > .button { flex: 1 1 9rem; }

.field { display: flex; flex-direction: column; gap: var(--space-1); }
.field label { font-weight: 600; }
.field input {
  width: 100%; min-height: var(--target); padding: var(--space-2) var(--space-3); border: 1px solid var(--edge);
  border-radius: var(--radius-small); background: var(--surface); color: var(--text); font: inherit;
}
.field input[aria-invalid="true"] { border-color: var(--danger); border-width: 2px; }
.field-error { color: var(--danger); font-weight: 600; }

.group { display: flex; flex-direction: column; gap: var(--space-2); }
.group > legend { padding-bottom: var(--space-2); }
.choices { display: flex; flex-direction: column; gap: var(--space-2); padding: 0; list-style: none; }
.choice {
  display: grid; grid-template-columns: auto minmax(0, 1fr) auto; align-items: center; gap: var(--space-1) var(--space-3);
  min-height: var(--target); padding: var(--space-3) var(--space-4); border-radius: var(--radius-small); cursor: pointer;
}
.choice:hover { background: var(--sunken); }
.choice-item { display: flex; flex-direction: column; border: 1px solid var(--line); border-radius: var(--radius-small); }
.choice-item:has(input:checked) { border-color: var(--accent); }
.choice-below { padding: var(--space-1) var(--space-4) var(--space-3); }
.choice-plain { padding-left: 0; padding-right: 0; grid-template-columns: auto minmax(0, 1fr); }
.choice-plain:hover { background: none; }
.choice input { width: 1.25rem; height: 1.25rem; margin: 0; accent-color: var(--accent); }
.choice-text { display: flex; flex-direction: column; }
.choice-name { font-weight: 600; }

.notice { padding: var(--space-3) var(--space-4); border-radius: var(--radius-small); border-left: 4px solid currentcolor; }
.notice-info { background: var(--info-ground); color: var(--info-text); }
.notice-good { background: var(--good-ground); color: var(--good-text); }
.notice-warning { background: var(--warning-ground); color: var(--warning-text); }
.notice-danger { background: var(--danger-ground); color: var(--danger-text); }
.notice-title { font-weight: 650; }
.notice a { color: inherit; }

.badge {
  display: inline-flex; align-items: center; padding: 0.0625rem var(--space-2); border-radius: 999px;
  font-size: 0.8125rem; font-weight: 600; white-space: nowrap; background: var(--sunken); color: var(--text);
}
.badge-good { background: var(--good-ground); color: var(--good-text); }
.badge-warning { background: var(--warning-ground); color: var(--warning-text); }
.badge-danger { background: var(--danger-ground); color: var(--danger-text); }

.facts { display: grid; gap: var(--space-1) var(--space-5); }
.facts dt { color: var(--muted); font-size: 0.875rem; }
.facts dd { margin-bottom: var(--space-2); min-width: 0; overflow-wrap: anywhere; }
@media (min-width: 34rem) {
  .facts { grid-template-columns: minmax(7rem, max-content) minmax(0, 1fr); gap: var(--space-2) var(--space-5); }
  .facts dt { font-size: 1rem; }
  .facts dd { margin-bottom: 0; }
}

.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: var(--radius); background: var(--surface); }
.table { width: 100%; border-collapse: collapse; text-align: left; font-size: 0.9375rem; }
.table th, .table td { padding: var(--space-3) var(--space-4); vertical-align: top; border-bottom: 1px solid var(--line); }
.table tbody tr:last-child > * { border-bottom: 0; }
.table thead th { color: var(--muted); font-size: 0.8125rem; font-weight: 600; white-space: nowrap; }
.table tbody th { font-weight: 600; }
.table td, .table tbody th { min-width: 8rem; max-width: 24rem; overflow-wrap: anywhere; }
.table .button { white-space: nowrap; }
.table .host { overflow-wrap: break-word; }
.table .badge { white-space: normal; }
.table-stacks td, .table-stacks tbody th { min-width: 6rem; }
@media (max-width: 48rem) {
  .table-stacks thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .table-stacks, .table-stacks tbody, .table-stacks tr { display: block; }
  .table-stacks tbody tr { padding: var(--space-3) var(--space-4); border-bottom: 1px solid var(--line); }
  .table-stacks tbody tr:last-child { border-bottom: 0; }
  .table-stacks tbody th, .table-stacks td {
    display: grid; grid-template-columns: 6rem minmax(0, 1fr); justify-items: start; gap: var(--space-3);
    min-width: 0; max-width: none; padding: var(--space-1) 0; border-bottom: 0;
  }
  .table-stacks [data-column]::before { content: attr(data-column); color: var(--muted); font-size: 0.8125rem; font-weight: 600; }
}
.table caption { text-align: left; padding: var(--space-3) var(--space-4) 0; font-weight: 600; }

.account { border-top: 1px solid var(--line); padding-top: var(--space-4); gap: var(--space-3); }
.empty { text-align: center; padding: var(--space-7) var(--space-5); }
.url { display: block; padding: var(--space-3); border-radius: var(--radius-small); background: var(--sunken); font-family: var(--mono); font-size: 0.875rem; overflow-wrap: anywhere; }
.out { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
`;
