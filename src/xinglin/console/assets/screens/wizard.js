// A data set that was chosen brings its own tables and hospitals: keep the step, and stay.
document.querySelectorAll("[data-reload]").forEach((field) => {
  field.addEventListener("change", () => {
    const form = field.closest("form");
    form.requestSubmit(form.querySelector("[data-stay]"));
  });
});
