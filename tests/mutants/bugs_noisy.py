"""Bugs of noisy layers."""

from tests.mutants.mutant import Mutant

NOISY = "plugins.noisy"
DRAW = "noise = self.random.normal(inputs + outputs, like=x)"

MUTANTS = (
    Mutant(
        name="noise_is_drawn_once",
        component="policy",
        row="Kaixhin/Rainbow#2",
        plugins="dqn,noisy,chain",
        module=NOISY,
        old=DRAW,
        new="if not hasattr(self, 'kept'):\n"
        "            self.kept = self.random.normal(inputs + outputs, like=x)\n"
        "        noise = self.kept",
    ),
    Mutant(
        name="target_noise_is_never_drawn_anew",
        component="policy",
        row="Kaixhin/Rainbow#2",
        plugins="dqn,noisy,chain",
        module=NOISY,
        old=DRAW,
        new="if self.weight.requires_grad or not hasattr(self, 'kept'):\n"
        "            self.kept = self.random.normal(inputs + outputs, like=x)\n"
        "        noise = self.kept",
    ),
    Mutant(
        name="target_repeats_the_online_noise",
        component="policy",
        row="Kaixhin/Rainbow#2 (the generator is copied with the network)",
        plugins="dqn,noisy,chain",
        module="plugins.dqn.sources",
        old="        return self\n",
        new="        copied = RandomSource.__new__(RandomSource)\n"
        "        copied.name = self.name\n"
        "        copied.generator = __import__('copy').deepcopy(self.generator, memo)\n"
        "        return copied\n",
    ),
    Mutant(
        name="target_network_is_not_noisy",
        component="policy",
        row="pytorch/rl#3069 (tied to a mode by accident)",
        plugins="dqn,noisy,chain",
        module="plugins.dqn.agent",
        old="        self.target.train()\n",
        new="        self.target.eval()\n",
    ),
    Mutant(
        name="each_row_has_noise_of_its_own",
        component="policy",
        row="not in the catalogue: noise of the outputs, not of the weights",
        plugins="dqn,noisy,chain",
        module=NOISY,
        old="self.bias_sigma) * of_output",
        new="self.bias_sigma) * of_output * self.random.uniform(len(x), 1, like=x)",
    ),
    Mutant(
        name="noise_stays_in_evaluation",
        component="policy",
        row="IntelLabs/coach#368",
        plugins="dqn,noisy,chain",
        module=NOISY,
        old="if not (self.training and self.noisy):",
        new="if not self.noisy:",
    ),
    Mutant(
        name="noise_only_where_gradients_flow",
        component="policy",
        row="pytorch/rl#3069 (tied to a mode by accident)",
        plugins="dqn,noisy,chain",
        module=NOISY,
        old="if not (self.training and self.noisy):",
        new="if not (self.training and self.noisy and torch.is_grad_enabled()):",
    ),
    Mutant(
        name="sigma_0_of_a_tenth",
        component="policy",
        row="pytorch/rl#3069",
        plugins="dqn,noisy,chain",
        module=NOISY,
        old="torch.full((outputs, inputs), sigma * bound)",
        new="torch.full((outputs, inputs), 0.1 * bound)",
    ),
    Mutant(
        name="sigma_over_the_inputs_and_not_their_root",
        component="policy",
        row="not in the catalogue: σ₀ / p",
        plugins="dqn,noisy,chain",
        module=NOISY,
        old="bound = 1 / math.sqrt(inputs)",
        new="bound = 1 / inputs",
    ),
    Mutant(
        name="bias_noise_of_the_outputs_number",
        component="policy",
        row="not in the catalogue: the bias starts at σ₀ / √outputs",
        plugins="dqn,noisy,chain",
        module=NOISY,
        old="torch.full((outputs,), sigma * bound)",
        new="torch.full((outputs,), sigma / math.sqrt(outputs))",
    ),
    Mutant(
        name="means_start_too_wide",
        component="policy",
        row="not in the catalogue: √(3/p), which is of independent noise",
        plugins="dqn,noisy,chain",
        module=NOISY,
        old="torch.empty(outputs, inputs).uniform_(-bound, bound)",
        new="torch.empty(outputs, inputs).uniform_(-math.sqrt(3) * bound, math.sqrt(3) * bound)",
    ),
    Mutant(
        name="noise_is_not_factorised",
        component="policy",
        row="not in the catalogue: each weight has noise of its own",
        plugins="dqn,noisy,chain",
        module=NOISY,
        old="functional.linear(x * of_input, self.weight_sigma, self.bias_sigma) * of_output",
        new="functional.linear(\n"
        "            x,\n"
        "            self.weight_sigma * self.random.normal(inputs * outputs, like=x).reshape(outputs, inputs),\n"
        "            self.bias_sigma * of_output,\n"
        "        )",
    ),
    Mutant(
        name="bias_without_the_noise_of_the_outputs",
        component="policy",
        row="not in the catalogue: ε_b left alone",
        plugins="dqn,noisy,chain",
        module=NOISY,
        old="functional.linear(x * of_input, self.weight_sigma, self.bias_sigma) * of_output",
        new="functional.linear(x * of_input, self.weight_sigma) * of_output"
        " + self.bias_sigma * self.random.normal(outputs, like=x)",
    ),
    Mutant(
        name="noise_without_the_root",
        component="policy",
        row="not in the catalogue: f left out",
        plugins="dqn,noisy,chain",
        module=NOISY,
        old="noise = noise.sign() * noise.abs().sqrt()",
        new="",
    ),
    Mutant(
        name="noise_without_a_sign",
        component="policy",
        row="not in the catalogue: √|x| for sgn(x) √|x|",
        plugins="dqn,noisy,chain",
        module=NOISY,
        old="noise.sign() * noise.abs().sqrt()",
        new="noise.abs().sqrt()",
    ),
    Mutant(
        name="noise_from_the_global_generator",
        component="seeds",
        row="not in the catalogue: torch.randn shifts whatever else draws from it",
        plugins="dqn,noisy,chain",
        module=NOISY,
        old=DRAW,
        new="noise = torch.randn(inputs + outputs).to(x)",
    ),
    Mutant(
        name="weights_from_the_global_generator",
        component="policy",
        row="not in the catalogue: the network is built outside of its own seed",
        plugins="dqn,chain",
        module="plugins.dqn.agent",
        old='            torch.manual_seed(seeds.integer("network"))\n',
        new="",
    ),
    Mutant(
        name="negative_sigma_is_accepted",
        component="loss",
        row="anthonytorlucci/rlevo#889 (of σ₀)",
        plugins="dqn,noisy,chain",
        module=NOISY,
        old="Field(0.5, ge=0,",
        new="Field(0.5,",
    ),
)
